package cmd

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// marker is a password that no output may hold.
const marker = "kanarienvogel"

// badURLs are addresses that cannot be meant, with what is said of them.
var badURLs = map[string]string{
	"redis://:" + marker + "%zz@h":                    "bad percent-encoding in the password",
	"redis://" + marker + "%zz:p@h":                   "bad percent-encoding in the user name",
	"redis://u:" + marker + "@h:99999":                "port 99999 is not between 1 and 65535",
	"redis://u:" + marker + "@h:0":                    "port 0 is not between 1 and 65535",
	"redis://u:" + marker + "@h:-1":                   "port -1 is not between 1 and 65535",
	"redis://u:" + marker + "@h:6379x":                "the port is not a number",
	"redis://u:" + marker + "@h/-1":                   "database -1 must be 0 or more",
	"redis://u:" + marker + "@h/1e9":                  "the database is not a number",
	"redis://u:" + marker + "@h/99999999999999999999": "the database is not a number",
	"redis://u:" + marker + "@h?db=-1":                "database -1 must be 0 or more",
	"redis://h?password=" + marker:                    "only db=NUMBER may stand behind the ?",
	"http://u:" + marker + "@h":                       "unknown scheme",
	"redis:u:" + marker + "@h":                        "no scheme",
	marker:                                            "no scheme",
	"redis://u:" + marker + "@":                       "no usable host",
	"redis://u:" + marker + "@:6379":                  "no usable host",
	"redis://u:" + marker + "@h h":                    "holds a space or a control character",
	" redis://u:" + marker + "@h x":                   "holds a space or a control character",
	"redis://u:" + marker + "\n@h":                    "holds a space or a control character",
	"redis://u:" + marker + "\x1b[2J@h":               "holds a space or a control character",
	"redis://u:" + marker + "/x@h":                    `"@" behind the host`,
	"rediss://u:" + marker + "@[::1":                  "IPv6",
	"unix://u:" + marker + "@run/redis.sock":          "absolute path",
}

// A bad address is told by its parts, never by itself, however it came and
// however errors are shown.
func TestBadURLsKeepTheirPasswords(t *testing.T) {
	t.Parallel()
	for url, want := range badURLs {
		file := filepath.Join(t.TempDir(), "url")
		writeFile(t, file, url, 0o600)
		folder := t.TempDir()
		writeFile(t, filepath.Join(folder, "qctl.yaml"), "redis: {urlFile: "+file+"}\n", 0o600)
		for _, format := range []string{"table", "json"} {
			for name, c := range map[string]call{
				"flag":     {args: []string{"stats", "-o", format, "--redis", url}},
				"variable": {args: []string{"stats", "-o", format}, env: map[string]string{"REDIS_URL": url}},
				"file":     {args: []string{"stats", "-o", format, "--config", filepath.Join(folder, "qctl.yaml")}},
			} {
				got := c.run(t)
				if got.code != exitUsage || got.out != "" {
					t.Errorf("%s %q: exit %d\n%s%s", name, url, got.code, got.out, got.err)
				}
				if strings.Contains(got.err, marker) {
					t.Errorf("%s %q: the password is shown:\n%s", name, url, got.err)
				}
				if text := strings.ReplaceAll(got.err, `\"`, `"`); !strings.Contains(text, want) {
					t.Errorf("%s %q: the error lacks %q:\n%s", name, url, want, got.err)
				}
				checkHarmless(t, name+" "+url, got.err, false)
			}
		}
	}
}

// Of several @ the last is in front of the host, as other clients have it: the
// rest is a password that nobody escaped.
func TestPasswordWithAnAt(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"table", "json"} {
		url := "redis://u:p@" + marker + "@127.0.0.1:1"
		got := call{args: []string{"stats", "-o", format, "--redis", url}}.run(t)
		if got.code != exitUnreachable || got.out != "" || strings.Contains(got.err, marker) {
			t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
		}
	}
}

func writeFile(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask takes away
		t.Fatal(err)
	}
}

// plainServer takes connections and gives them to serve.
func plainServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	end := make(chan struct{})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				stop := make(chan struct{})
				serving.Go(func() {
					select {
					case <-end:
					case <-stop:
					}
					_ = conn.Close()
				})
				serve(conn)
				close(stop)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		close(end)
		serving.Wait()
	})
	return listener.Addr().String()
}

// An address that wants TLS of a server without it fails with a clear word,
// whether that server answers, hangs up or waits.
func TestTLSAgainstAPlainPort(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Conn){
		"answers": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			_, _ = io.WriteString(c, "-ERR unknown command\r\n")
			_, _ = io.Copy(io.Discard, c)
		},
		"hangs up": func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) },
		"waits":    func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := plainServer(t, serve)
			for _, format := range []string{"table", "json"} {
				got := call{args: []string{"stats", "-o", format}, env: map[string]string{"REDIS_URL": "rediss://u:" + marker + "@" + addr}}.run(t)
				if got.code != exitUnreachable || got.out != "" {
					t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
				}
				if want := addr + " does not answer in TLS"; !strings.Contains(got.err, want) || strings.Contains(got.err, marker) {
					t.Errorf("want %q, and no password:\n%s", want, got.err)
				}
			}
		})
	}
}

// A file with a secret that others can read is refused before anything is sent.
func TestSecretFilesOfOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no such rights there")
	}
	server, _, env := memoryRedis(t)
	url := env["REDIS_URL"]
	for name, config := range map[string]string{
		"REDIS_PASSWORD_FILE":     "",
		"redis.passwordFile":      "redis: {url: '" + url + "', passwordFile: SECRET}\n",
		"redis.urlFile":           "redis: {urlFile: SECRET}\n",
		"redis.sentinel.password": "redis: {url: '" + url + "', sentinel: {name: m, passwordFile: SECRET}}\n",
		"redis tls key file":      "redis: {url: '" + strings.Replace(url, "redis:", "rediss:", 1) + "', tls: {certFile: CERT, keyFile: SECRET}}\n",
	} {
		for _, format := range []string{"table", "json"} {
			folder := t.TempDir()
			secret, cert, file := filepath.Join(folder, "secret"), filepath.Join(folder, "cert"), filepath.Join(folder, "qctl.yaml")
			writeFile(t, secret, marker, 0o644)
			writeFile(t, cert, "", 0o644)
			writeFile(t, file, strings.NewReplacer("SECRET", secret, "CERT", cert).Replace(config), 0o600)
			args, vars := []string{"stats", "-o", format, "--config", file}, map[string]string{}
			if config == "" {
				args, vars = args[:3], map[string]string{"REDIS_URL": url, "REDIS_PASSWORD_FILE": secret}
			}
			got := call{args: args, env: vars}.run(t)
			if got.code != exitDenied || got.out != "" || !strings.Contains(got.err, name) || !strings.Contains(got.err, "can be read by others") {
				t.Errorf("%s: exit %d\n%s%s", name, got.code, got.out, got.err)
			}
			if strings.Contains(got.err, marker) {
				t.Errorf("%s: the secret is shown:\n%s", name, got.err)
			}
			if n := server.TotalConnectionCount(); n != 0 {
				t.Fatalf("%s: %d connections", name, n)
			}
		}
	}
}

// A configuration without secrets that others can read is worth a warning.
func TestConfigurationOfOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no such rights there")
	}
	_, _, env := memoryRedis(t)
	file := filepath.Join(t.TempDir(), "qctl.yaml")
	for mode, warned := range map[os.FileMode]bool{0o644: true, 0o600: false} {
		writeFile(t, file, "version: 1\n", mode)
		got := call{args: []string{"stats", "--config", file}, env: env}.run(t)
		if got.code != exitDone || strings.Contains(got.err, "can be read by others") != warned {
			t.Errorf("%o: exit %d\n%s", mode, got.code, got.err)
		}
	}
}
