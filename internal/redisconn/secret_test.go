package redisconn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// assertNoCanary looks for the canary in every way a value can be printed.
func assertNoCanary(t *testing.T, values ...any) {
	t.Helper()
	for _, value := range values {
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
		if encoded, err := json.Marshal(value); err == nil {
			texts = append(texts, string(encoded))
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", value)
		texts = append(texts, log.String())
		if err, ok := value.(error); ok {
			for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
				texts = append(texts, fmt.Sprintf("%+v %#v", cause, cause))
			}
		}
		for _, text := range texts {
			lower := strings.ToLower(text)
			if strings.Contains(lower, canary) || strings.Contains(lower, fmt.Sprintf("%x", canary)) {
				t.Errorf("%T shows the secret: %s", value, text)
			}
		}
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	secret := NewSecret(canary)
	type outer struct {
		Shown  Secret
		hidden Secret // fmt cannot call the methods of this one
	}
	conn, err := Open(Config{
		URLs: secrets("redis://ops:" + canary + "@s1:1,s2:1"), SentinelName: "m",
		Password: secret, SentinelPassword: secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	config := Config{URLs: secrets("redis://:" + canary + "@h"), Password: secret}
	assertNoCanary(t,
		secret, &secret, []Secret{secret}, map[string]Secret{"k": secret},
		outer{secret, secret}, &outer{secret, secret},
		config, &config, struct{ c Config }{config}, config.Describe(), conn, *conn)

	encoded, err := json.Marshal(outer{Shown: secret})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{fmt.Sprintf("%s|%#v|%d", secret, secret, secret), string(encoded), secret.Reveal()}
	want := []string{"***|***|***", `{"Shown":"***"}`, canary}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("formatted, encoded, revealed (-want +got):\n%s", diff)
	}
}

func TestSecretEquality(t *testing.T) {
	t.Parallel()
	if !NewSecret("a").Equal(NewSecret("a")) || NewSecret("a").Equal(NewSecret("b")) {
		t.Error("Equal does not compare the texts")
	}
	if !NewSecret("").IsZero() || NewSecret("a").IsZero() || !NewSecret("").Equal(Secret{}) {
		t.Error("the empty secret is not the zero value")
	}
}

func lookup(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := pairs[name]
		return value, ok
	}
}

func TestFromEnv(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private := filepath.Join(dir, "password")
	if err := os.WriteFile(private, []byte(canary+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		env  map[string]string
		want Config
	}{
		{"nothing", nil, Config{}},
		{"single", map[string]string{"REDIS_URL": "redis://h"}, Config{URLs: secrets("redis://h")}},
		{
			"sentinel",
			map[string]string{"REDIS_URL": "redis://a,b:1", "REDIS_SENTINEL_NAME": "m", "REDIS_SENTINEL_PASSWORD": "p", "REDIS_CLUSTER_MODE": "off"},
			Config{URLs: secrets("redis://a,b:1"), SentinelName: "m", SentinelPassword: NewSecret("p")},
		},
		{
			"cluster",
			map[string]string{"REDIS_URL": "redis://a", "REDIS_CLUSTER_MODE": "Yes"},
			Config{URLs: secrets("redis://a"), Cluster: true},
		},
		{"password from a file", map[string]string{"REDIS_PASSWORD_FILE": private}, Config{Password: NewSecret(canary)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := FromEnv(lookup(test.env))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClusterModeWords(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{
		"true": true, "1": true, "yes": true, "on": true, "TRUE": true,
		"false": false, "0": false, "no": false, "off": false, "Off": false,
	} {
		got, err := FromEnv(lookup(map[string]string{"REDIS_CLUSTER_MODE": word}))
		if err != nil || got.Cluster != want {
			t.Errorf("REDIS_CLUSTER_MODE=%s: %t, %v; want %t", word, got.Cluster, err, want)
		}
	}
}

func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		env  map[string]string
		want string
	}{
		{"empty URL", map[string]string{"REDIS_URL": ""}, "REDIS_URL: set but empty"},
		{"blank URL", map[string]string{"REDIS_URL": " "}, "REDIS_URL: set but empty"},
		{"empty sentinel name", map[string]string{"REDIS_SENTINEL_NAME": ""}, "REDIS_SENTINEL_NAME: set but empty"},
		{"empty sentinel password", map[string]string{"REDIS_SENTINEL_PASSWORD": ""}, "REDIS_SENTINEL_PASSWORD: set but empty"},
		{"empty mode", map[string]string{"REDIS_CLUSTER_MODE": ""}, "REDIS_CLUSTER_MODE: set but empty"},
		{"empty file name", map[string]string{"REDIS_PASSWORD_FILE": ""}, "REDIS_PASSWORD_FILE: set but empty"},
		{"neither yes nor no", map[string]string{"REDIS_CLUSTER_MODE": canary}, "REDIS_CLUSTER_MODE: write true, 1, yes or on, or false, 0, no or off"},
		{
			"sentinel and cluster",
			map[string]string{"REDIS_SENTINEL_NAME": "m", "REDIS_CLUSTER_MODE": "1"},
			"REDIS_CLUSTER_MODE: excludes REDIS_SENTINEL_NAME",
		},
		{"bad URL", map[string]string{"REDIS_URL": "redis://:" + canary + "%zz@h"}, "REDIS_URL: bad percent-encoding in the password; write % as %25"},
		{"empty element", map[string]string{"REDIS_URL": "redis://a,,redis://b"}, "REDIS_URL: address 2 of 3: no scheme; write redis://, rediss:// or unix://"},
		{"empty password file", map[string]string{"REDIS_PASSWORD_FILE": empty}, "REDIS_PASSWORD_FILE: the file is empty"},
		{"directory", map[string]string{"REDIS_PASSWORD_FILE": dir}, "REDIS_PASSWORD_FILE: not a regular file"},
		{
			"missing file",
			map[string]string{"REDIS_PASSWORD_FILE": "/nowhere/password"},
			"REDIS_PASSWORD_FILE: cannot be used: stat /nowhere/password: no such file or directory",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := FromEnv(lookup(test.env))
			if _, ok := errors.AsType[*ConfigError](err); !ok {
				t.Fatalf("error %v (%T) is not a *ConfigError", err, err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(Config{}, got); diff != "" {
				t.Errorf("settings beside the error (-want +got):\n%s", diff)
			}
			assertNoCanary(t, err)
		})
	}
}

func TestExposedPasswordFileIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]error{0o644: ErrSecretExposed, 0o604: ErrSecretExposed, 0o640: nil, 0o400: nil} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := FromEnv(lookup(map[string]string{"REDIS_PASSWORD_FILE": file}))
		if !errors.Is(err, want) {
			t.Errorf("mode %o: %v, want %v", mode, err, want)
		}
		assertNoCanary(t, err)
	}
}
