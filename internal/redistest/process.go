package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a redis-server child and the news of its end.
type process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{} // closed once the child has been reaped
}

// run starts redis-server; its output is appended to the log file.
func run(log string, args []string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the child holds its own descriptor
	cmd := exec.Command("redis-server", args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // a killed server has no better news than that it is gone
		close(p.exited)
	}()
	return p, nil
}

// waitReady returns once the server answers a PING with anything but LOADING;
// NOAUTH and a refusal by ACL are answers too.
func (p *process) waitReady(addr string) error {
	return poll(readyTimeout, "redis-server on "+addr, func() (bool, error) {
		select {
		case <-p.exited:
			return false, fmt.Errorf("it ended at once: %s", p.lastLog())
		default:
		}
		reply, err := ping(addr)
		return err == nil && !strings.HasPrefix(reply, "-LOADING"), nil
	})
}

// end sends the signal and waits until the process is reaped, with SIGKILL
// after ten seconds. It does nothing to a process that is gone.
func (p *process) end(sig syscall.Signal) error {
	if err := p.signal(sig); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(10 * time.Second):
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (p *process) lastLog() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// ping sends an inline PING and returns the first line of the reply.
func ping(addr string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}
