package redisconn

import (
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// settingURL is the name of the URLs in errors; [FromEnv] puts the name of the
// variable in its place.
const settingURL = "redis url"

const maxURLBytes = 64 << 10

type scheme int

const (
	schemePlain scheme = iota
	schemeTLS
	schemeUnix
)

var schemes = map[string]scheme{"redis": schemePlain, "rediss": schemeTLS, "unix": schemeUnix}

// server is what one URL says.
type server struct {
	scheme   scheme
	addr     string
	username string
	password Secret
	db       int
	hasDB    bool
}

// urlError builds an error about the URL at a position of a list. Its parts are
// fixed texts and checked numbers, never a piece of the input: in a mistyped
// URL any piece may be part of the password, and the errors of net/url repeat
// the whole.
func urlError(position, count int, problem string) error {
	if count > 1 {
		problem = "address " + strconv.Itoa(position+1) + " of " + strconv.Itoa(count) + ": " + problem
	}
	return &ConfigError{Setting: settingURL, Problem: problem}
}

// readURLs splits the lists and reads every URL of them. Behind the first of a
// list the scheme may be left out: redis://a:26379,b:26379.
func readURLs(lists []Secret, defaultPort string) ([]server, error) {
	var texts []string
	for _, list := range lists {
		first := len(texts)
		for text := range strings.SplitSeq(list.Reveal(), ",") {
			texts = append(texts, inheritScheme(texts[first:], strings.TrimSpace(text)))
		}
	}
	if len(texts) == 0 {
		return nil, urlError(0, 1, "no address is set")
	}
	for i, text := range texts {
		// Checked for all before any is read: "redis://u:12345,67@h" must not be
		// taken for a host "u" with port 12345.
		if !strings.Contains(text, "://") {
			problem := "no scheme; write redis://, rediss:// or unix://"
			if strings.Contains(text, "@") {
				problem += ", and a comma in a password as %2C"
			}
			return nil, urlError(i, len(texts), problem)
		}
	}
	servers := make([]server, len(texts))
	for i, text := range texts {
		s, problem := readURL(text, defaultPort)
		if problem != "" {
			return nil, urlError(i, len(texts), problem)
		}
		servers[i] = s
	}
	return servers, nil
}

// inheritScheme gives a bare host:port the scheme of the URL that opened its
// list. What holds an "@" is rather the second half of a password with a comma.
func inheritScheme(list []string, text string) string {
	if len(list) == 0 || text == "" || strings.Contains(text, "://") || strings.ContainsAny(text, "@/?#") {
		return text
	}
	name, _, found := strings.Cut(list[0], "://")
	if !found || strings.EqualFold(name, "unix") {
		return text
	}
	return name + "://" + text
}

// readURL reads one URL and returns what is wrong with it, if anything.
func readURL(text, defaultPort string) (s server, problem string) {
	if problem := checkText(text); problem != "" {
		return s, problem
	}
	name, rest, _ := strings.Cut(text, "://")
	kind, known := schemes[strings.ToLower(name)]
	if !known {
		return s, "unknown scheme; write redis://, rediss:// or unix://"
	}
	s.scheme = kind
	authority, tail := rest, ""
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		authority, tail = rest[:at], rest[at:]
	}
	if strings.Contains(tail, "@") {
		// Either the password ends the authority too early, or the tail is odd.
		return s, `"@" behind the host; in a password write / as %2F, ? as %3F and # as %23`
	}
	if strings.Contains(tail, "#") {
		return s, `"#" behind the host; in a password write it as %23`
	}
	host := authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		host = authority[at+1:]
		if problem := s.readUser(authority[:at]); problem != "" {
			return s, problem
		}
	}
	location, query, _ := strings.Cut(tail, "?")
	if s.scheme == schemeUnix {
		problem = s.readSocket(host, location)
	} else {
		problem = s.readHost(host, location, defaultPort)
	}
	if problem != "" {
		return s, problem
	}
	return s, s.readQuery(query)
}

func checkText(text string) string {
	switch {
	case text == "":
		return "empty"
	case len(text) > maxURLBytes:
		return "longer than " + strconv.Itoa(maxURLBytes) + " bytes"
	case !utf8.ValidString(text):
		return "not valid UTF-8"
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return "holds a space or a control character; percent-encode it"
	}
	return ""
}

func (s *server) readUser(userinfo string) string {
	user, password, _ := strings.Cut(userinfo, ":")
	username, err := url.PathUnescape(user)
	if err != nil {
		return "bad percent-encoding in the user name"
	}
	secret, err := url.PathUnescape(password)
	if err != nil {
		return "bad percent-encoding in the password; write % as %25"
	}
	s.username, s.password = username, NewSecret(secret)
	return ""
}

// readHost reads "host:port" and "/database".
func (s *server) readHost(hostport, location, defaultPort string) string {
	host, port := hostport, defaultPort
	if colon := strings.LastIndex(hostport, ":"); colon > strings.LastIndex(hostport, "]") {
		host, port = hostport[:colon], hostport[colon+1:]
	}
	number, err := strconv.Atoi(port)
	switch {
	case err != nil:
		return "the port is not a number"
	case number < 1 || number > 65535:
		return "port " + strconv.Itoa(number) + " is not between 1 and 65535"
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
		if net.ParseIP(strings.Split(host, "%")[0]) == nil {
			return "no IPv6 address between [ and ]"
		}
	} else if strings.ContainsAny(host, `[]:\%"<>^{|}`) || host == "" {
		return "no usable host; write an IPv6 address in [ and ]"
	}
	s.addr = net.JoinHostPort(host, strconv.Itoa(number))
	if location == "" || location == "/" {
		return ""
	}
	return s.readDB(strings.TrimPrefix(location, "/"))
}

// readSocket reads the path of a Unix socket.
func (s *server) readSocket(host, location string) string {
	file, err := url.PathUnescape(location)
	switch {
	case err != nil:
		return "bad percent-encoding in the path of the socket"
	case host != "" || !strings.HasPrefix(file, "/"):
		return "a Unix socket needs an absolute path: unix:///run/redis.sock"
	}
	s.addr = path.Clean(file)
	return ""
}

// readQuery accepts db=N and nothing else.
func (s *server) readQuery(query string) string {
	if query == "" {
		return ""
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "bad percent-encoding behind the ?"
	}
	db, found := values["db"]
	if !found || len(values) > 1 || len(db) > 1 {
		return "only db=NUMBER may stand behind the ?, once"
	}
	if s.hasDB {
		return "the database is given twice"
	}
	return s.readDB(db[0])
}

func (s *server) readDB(text string) string {
	number, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil:
		return "the database is not a number"
	case number < 0:
		return "database " + strconv.FormatInt(number, 10) + " must be 0 or more"
	}
	s.db, s.hasDB = int(number), true
	return ""
}

// mergeURLs makes one target of several servers. They must agree on what they
// say; what one of them leaves out is taken from another.
func mergeURLs(servers []server) (target, error) {
	t := target{scheme: servers[0].scheme}
	var hasUser, hasDB bool
	for i, s := range servers {
		problem := ""
		switch {
		case s.scheme != t.scheme:
			problem = "another scheme than the first address has"
		case s.hasDB && hasDB && s.db != t.db:
			problem = "another database than an earlier address has"
		case s.hasUser() && hasUser && (s.username != t.username || !s.password.Equal(t.password)):
			problem = "another user or password than an earlier address has"
		}
		if problem != "" {
			return target{}, urlError(i, len(servers), problem)
		}
		t.addrs = append(t.addrs, s.addr)
		if s.hasUser() {
			t.username, t.password, hasUser = s.username, s.password, true
		}
		if s.hasDB {
			t.db, hasDB = s.db, true
		}
	}
	return t, nil
}

func (s server) hasUser() bool { return s.username != "" || !s.password.IsZero() }

// HasPassword reports whether a URL, or one of a list of them, carries a
// password. A text that is no URL has none.
func HasPassword(text string) bool {
	for _, one := range strings.Split(text, ",") {
		_, rest, _ := strings.Cut(one, "://")
		user, _, ok := strings.Cut(rest, "@")
		if ok && strings.Contains(user, ":") {
			return true
		}
	}
	return false
}
