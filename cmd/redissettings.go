package cmd

import (
	"github.com/qctl/qctl/internal/config"
	"github.com/qctl/qctl/internal/redisconn"
)

// redisSettings says how to reach Redis: by flag, environment, context or file.
// The address decides whose user, password, database and topology hold: those
// of one server are never used on another.
func (a *app) redisSettings(c *config.Config) (redisconn.Config, error) {
	env := a.redisEnv()
	if c.Origin("context").Source == config.Flag && !c.Redis.URL.IsZero() && c.Origin("redis.url").Source == config.File {
		env = withoutRedis(env)
	}
	settings, err := redisconn.FromEnv(env)
	if err != nil {
		return settings, err
	}
	from := c.Redis
	settings.DialTimeout, settings.ReadTimeout, settings.WriteTimeout = from.DialTimeout, from.ReadTimeout, from.WriteTimeout
	settings.PoolSize = from.PoolSize
	if a.flags.changed("redis") {
		settings.URLs = []redisconn.Secret{redisconn.NewSecret(a.flags.redis)}
		if redisconn.HasPassword(a.flags.redis) {
			a.warn("a password on the command line is seen by every user of this machine: use REDIS_URL or REDIS_PASSWORD_FILE")
		}
		return settings, nil
	}
	if len(settings.URLs) > 0 || from.URL.IsZero() && from.URLFile == "" {
		return settings, nil
	}
	return a.redisFromFile(settings, from)
}

// redisFromFile fills in what the file says about the server it names.
func (a *app) redisFromFile(settings redisconn.Config, from config.Redis) (redisconn.Config, error) {
	url, err := a.secret("redis.url", from.URL, from.URLFile)
	if err != nil {
		return settings, err
	}
	settings.URLs = []redisconn.Secret{url}
	settings.Username, settings.DB = from.Username, from.DB
	settings.SentinelName, settings.Cluster = from.SentinelName, from.Cluster
	settings.TLS = redisconn.TLS{
		CAFile: from.TLS.CAFile, CertFile: from.TLS.CertFile, KeyFile: from.TLS.KeyFile,
		ServerName: from.TLS.ServerName, Insecure: from.TLS.Insecure,
	}
	if settings.Password.IsZero() {
		if settings.Password, err = a.secret("redis.password", from.Password, from.PasswordFile); err != nil {
			return settings, err
		}
	}
	if settings.SentinelPassword.IsZero() {
		settings.SentinelPassword, err = a.secret("redis.sentinel.password", from.SentinelPassword, from.SentinelPasswordFile)
	}
	return settings, err
}

// secret returns a value of the file, of the variable that it names, or of the
// file that holds it.
func (a *app) secret(setting string, value config.Secret, file string) (redisconn.Secret, error) {
	if file != "" {
		return redisconn.ReadSecretFile(setting+"File", file)
	}
	text, err := value.Reveal(a.lookupEnv)
	return redisconn.NewSecret(text), err
}

// withoutRedis hides the variables that say where Redis is: they belong to
// another server than the context that was asked for.
func withoutRedis(env func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		switch name {
		case "REDIS_URL", "REDIS_SENTINEL_NAME", "REDIS_SENTINEL_PASSWORD", "REDIS_CLUSTER_MODE", "REDIS_PASSWORD_FILE":
			return "", false
		}
		return env(name)
	}
}
