package redisconn

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// tlsConfig reads the files that the settings name. It returns nil for a scheme
// without TLS.
func (c Config) tlsConfig(s scheme) (*tls.Config, error) {
	if s != schemeTLS {
		return nil, nil
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         c.TLS.ServerName,
		InsecureSkipVerify: c.TLS.Insecure, //nolint:gosec // asked for by name, and said on every run
	}
	if c.TLS.CAFile != "" {
		pem, err := os.ReadFile(c.TLS.CAFile)
		if err != nil {
			return nil, &ConfigError{Setting: "redis tls ca file", Problem: "cannot be used", Err: err}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &ConfigError{Setting: "redis tls ca file", Problem: "holds no certificate in PEM"}
		}
	}
	if c.TLS.CertFile == "" {
		return config, nil
	}
	cert, err := os.ReadFile(c.TLS.CertFile)
	if err != nil {
		return nil, &ConfigError{Setting: "redis tls cert file", Problem: "cannot be used", Err: err}
	}
	key, err := readPrivateFile("redis tls key file", c.TLS.KeyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &ConfigError{Setting: "redis tls cert file", Problem: "does not fit the key file", Err: err}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
