package actors

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// caller is an application that calls a resource server with the token of a mounted Secret.
type caller struct {
	url    string
	folder string
	caches bool // keeps the token in memory, and reads the file anew when the token is refused
	client *http.Client
	book   *book
	held   string
	out    io.Writer
}

// RunCaller plays the application until the context ends.
func RunCaller(ctx context.Context, out io.Writer, arguments []string) error {
	c := &caller{out: out}
	flags := flag.NewFlagSet("caller", flag.ContinueOnError)
	flags.StringVar(&c.url, "url", "", "resource to call")
	flags.StringVar(&c.folder, "token-folder", "/var/run/secrets/token", "where the Secret is mounted")
	flags.BoolVar(&c.caches, "cache", false, "keep the token in memory, and read the file anew when the token is refused")
	pause := flags.Duration("pause", 100*time.Millisecond, "from one call to the next")
	authority := flags.String("authority", "/etc/authority/ca.crt", "file with the certificates that are trusted (PEM)")
	file := flags.String("tally", "/tally/tally.json", "file that keeps the tally")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	trusted, err := os.ReadFile(*authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	c.client = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	if c.book, err = openBook(*file); err != nil {
		return err
	}
	desk := &http.Server{Addr: ":8080", Handler: http.HandlerFunc(c.show), ReadHeaderTimeout: time.Minute}
	go func() { _ = desk.ListenAndServe() }()
	ticker := time.NewTicker(*pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return desk.Close()
		case <-ticker.C:
			if err := c.call(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (c *caller) show(w http.ResponseWriter, _ *http.Request) {
	tally, err := c.book.read()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(tally)
}

// call makes one call and counts it. Its error is one of the caller itself.
func (c *caller) call(ctx context.Context) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	status, err := c.ask(ctx, token)
	reread := false
	if c.caches && status == http.StatusUnauthorized {
		c.held = ""
		if token, err = c.token(); err != nil {
			return err
		}
		status, err = c.ask(ctx, token)
		reread = true
	}
	if ctx.Err() != nil {
		return ctx.Err() // it was told to stop: no call that failed
	}
	expires, _ := os.ReadFile(filepath.Join(c.folder, "expires_at"))
	return c.book.note(func(t *Tally) (news bool) {
		fresh := t.uses(fingerprint(token))
		switch {
		case err != nil:
			t.fails(kind(err))
			return fresh
		case status == http.StatusOK:
			t.accepts(reread)
			return fresh || reread
		case status != http.StatusUnauthorized:
			t.fails(http.StatusText(status))
			return fresh
		}
		t.rejects(Rejection{time.Now().UTC(), fingerprint(token), string(expires)})
		fmt.Fprintf(c.out, "refused: token %s, expires_at %s\n", fingerprint(token), expires)
		return true
	})
}

// token is what the file holds, or what was read from it before.
func (c *caller) token() (string, error) {
	if c.caches && c.held != "" {
		return c.held, nil
	}
	content, err := os.ReadFile(filepath.Join(c.folder, "authorization"))
	c.held = string(content)
	return c.held, err
}

func (c *caller) ask(ctx context.Context, authorization string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", authorization)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, err
}

// kind names a failure in few words.
func kind(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "name not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "connection cut"
	case strings.Contains(err.Error(), "Timeout"), os.IsTimeout(err):
		return "time-out"
	}
	return err.Error()
}
