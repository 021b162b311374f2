// Package ptytest gives tests terminals. They are opened on Linux only.
package ptytest
