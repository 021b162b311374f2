package config

import "time"

// Redis says how to reach Redis, as the file or a context has it. Zero fields
// are not set. Files are given from the working directory.
type Redis struct {
	URL                  Secret // redis://, rediss:// or unix://, a list with commas
	URLFile              string // file that holds the URL
	Username             string
	Password             Secret
	PasswordFile         string
	DB                   int
	SentinelName         string
	SentinelPassword     Secret
	SentinelPasswordFile string
	Cluster              bool
	TLS                  TLS
	DialTimeout          time.Duration
	ReadTimeout          time.Duration
	WriteTimeout         time.Duration
	PoolSize             int
}

// TLS are the settings of encrypted connections.
type TLS struct {
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string
	Insecure   bool // accept any certificate
}

// Handler is what runs the jobs of a queue. Exactly one of Program, Stdio, HTTP
// and SMTP is set.
type Handler struct {
	Program []string // a program and its arguments, started for each job
	Stdio   []string // a program that is kept running
	HTTP    *HTTPHandler
	SMTP    *SMTPHandler
	Env     []string // names of the variables that the program gets
}

// Kind names the kind of handler, as the file spells it.
func (h *Handler) Kind() string {
	switch {
	case h.Program != nil:
		return "program"
	case h.Stdio != nil:
		return "stdio"
	case h.HTTP != nil:
		return "http"
	}
	return "smtp"
}

// CheckSupported refuses the kinds that this version reads but cannot run.
func (h *Handler) CheckSupported() error {
	if h.Program != nil {
		return nil
	}
	return &ValueError{What: "handler", Value: h.Kind(), Want: "this version runs programs only: write program: [./run.sh], or put the program after --"}
}

// HTTPHandler posts jobs to a URL.
type HTTPHandler struct {
	URL     Secret
	Secret  Secret        // signs the requests; may be empty
	Timeout time.Duration // of one request; 0: the job's
}

// SMTPHandler sends mail.
type SMTPHandler struct {
	URL  Secret
	From string
}

// Record is the row in Postgres that a job points at.
type Record struct {
	Postgres    Secret   // the connection
	Query       string   // selects the row
	Args        []string // of the query, paths such as data.queueId
	Done        string   // condition on the row; the job is done already
	OnCompleted string   // statements after the outcome; may be empty
	OnFailed    string
}

// OnFailed is what happens when a job has failed for good. Exactly one field is
// set.
type OnFailed struct {
	Enqueue string // a QUEUE that gets a job
	Program []string
	HTTP    *HTTPHandler
}
