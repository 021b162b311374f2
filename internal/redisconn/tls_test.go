package redisconn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/qctl/qctl/internal/queue"
	"github.com/qctl/qctl/internal/redistest"
)

// authority signs certificates and writes them into a directory.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes an authority whose certificate lies in <name>.pem.
func newAuthority(t testing.TB, dir, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir}
	template := template(name, time.Hour)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	a.key = a.issue(name, template)
	raw, err := os.ReadFile(filepath.Join(dir, name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return a
}

func template(name string, validFor time.Duration) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().Add(validFor),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

// issue writes <name>.pem and <name>.key, signed by the authority or, before
// there is one, by itself.
func (a *authority) issue(name string, template *x509.Certificate) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "EC PRIVATE KEY", keyDER)
	return key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(filepath.Join(a.dir, name), text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// startTLS runs a server that presents <cert>.pem and demands certificates of
// clients or not. It returns its rediss URL.
func startTLS(t *testing.T, dir, cert, authClients string) Secret {
	t.Helper()
	port := strconv.Itoa(redistest.FreePort(t))
	redistest.Start(t,
		"--tls-port", port, "--tls-auth-clients", authClients,
		"--tls-cert-file", filepath.Join(dir, cert+".pem"),
		"--tls-key-file", filepath.Join(dir, cert+".key"),
		"--tls-ca-cert-file", filepath.Join(dir, "ca.pem"))
	return NewSecret("rediss://127.0.0.1:" + port)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	newAuthority(t, dir, "stranger")
	ca.issue("good", template("good", time.Hour))
	ca.issue("expired", template("expired", -time.Hour))
	elsewhere := template("elsewhere", time.Hour)
	elsewhere.IPAddresses, elsewhere.DNSNames = nil, []string{"redis.example"}
	ca.issue("elsewhere", elsewhere)
	ca.issue("client", template("client", time.Hour))

	good := startTLS(t, dir, "good", "no")
	file := func(name string) string { return filepath.Join(dir, name) }
	plainPort := redistest.Start(t).Addr

	tests := []struct {
		name   string
		url    Secret
		config TLS
		want   queue.Class
	}{
		{"trusted", good, TLS{CAFile: file("ca.pem")}, queue.ClassNone},
		{"authority of the system", good, TLS{}, queue.ClassUnreachable},
		{"another authority", good, TLS{CAFile: file("stranger.pem")}, queue.ClassUnreachable},
		{"unverified", good, TLS{Insecure: true}, queue.ClassNone},
		{"expired", startTLS(t, dir, "expired", "no"), TLS{CAFile: file("ca.pem")}, queue.ClassUnreachable},
		{"wrong name", startTLS(t, dir, "elsewhere", "no"), TLS{CAFile: file("ca.pem")}, queue.ClassUnreachable},
		{
			"name given", startTLS(t, dir, "elsewhere", "no"),
			TLS{CAFile: file("ca.pem"), ServerName: "redis.example"},
			queue.ClassNone,
		},
		{
			"client certificate", startTLS(t, dir, "good", "yes"),
			TLS{CAFile: file("ca.pem"), CertFile: file("client.pem"), KeyFile: file("client.key")},
			queue.ClassNone,
		},
		{"client certificate missing", startTLS(t, dir, "good", "yes"), TLS{CAFile: file("ca.pem")}, queue.ClassUnreachable},
		{"plain port", NewSecret("rediss://" + plainPort), TLS{Insecure: true}, queue.ClassUnreachable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn := open(t, Config{URLs: []Secret{test.url}, TLS: test.config, ReadTimeout: 5 * time.Second})
			for name, client := range onBoth(t, conn) {
				err := client.Set(t.Context(), "k", "v", 0).Err()
				if got := queue.Classify(err); got != test.want {
					t.Errorf("%s: error %v is of class %s, want %s", name, err, got, test.want)
				}
			}
		})
	}
}

func TestPlainAddressOfATLSPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	newAuthority(t, dir, "ca").issue("good", template("good", time.Hour))
	url := startTLS(t, dir, "good", "no")
	conn := open(t, Config{URLs: secrets("redis://" + url.Reveal()[len("rediss://"):]), ReadTimeout: time.Second})
	err := conn.Client().Set(t.Context(), "k", "v", 0).Err()
	if got := queue.Classify(err); got != queue.ClassUnreachable {
		t.Errorf("error %v is of class %s, want unreachable", err, got)
	}
}

func TestTLSFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	ca.issue("a", template("a", time.Hour))
	ca.issue("b", template("b", time.Hour))
	ca.issue("exposed", template("exposed", time.Hour))
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(file("text"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file("exposed.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config TLS
		want   string
	}{
		"no such authority":  {TLS{CAFile: file("none")}, "redis tls ca file: cannot be used: open " + file("none") + ": no such file or directory"},
		"no certificate":     {TLS{CAFile: file("text")}, "redis tls ca file: holds no certificate in PEM"},
		"another's key":      {TLS{CertFile: file("a.pem"), KeyFile: file("b.key")}, "redis tls cert file: does not fit the key file: tls: private key does not match public key"},
		"no such key":        {TLS{CertFile: file("a.pem"), KeyFile: file("none")}, "redis tls key file: cannot be used: stat " + file("none") + ": no such file or directory"},
		"no such client pem": {TLS{CertFile: file("none"), KeyFile: file("a.key")}, "redis tls cert file: cannot be used: open " + file("none") + ": no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(Config{URLs: secrets("rediss://h"), TLS: test.config})
			if _, ok := errors.AsType[*ConfigError](err); !ok {
				t.Fatalf("error %v (%T) is not a *ConfigError", err, err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
	_, err := Open(Config{URLs: secrets("rediss://h"), TLS: TLS{CertFile: file("exposed.pem"), KeyFile: file("exposed.key")}})
	if !errors.Is(err, ErrSecretExposed) {
		t.Errorf("a key that others can read: %v, want ErrSecretExposed", err)
	}
}
