package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"handoff/infra/apiclient"
	"handoff/infra/clientfile"
)

// server is `handoff serve` as a process.
type server struct {
	executable string
	dir        string
	keyFile    string
	now        func() time.Time
	settings   []string // more variables of its environment
	listen     string   // its address, from the first start on

	process *exec.Cmd
	stdin   io.Closer
	output  *tail
	ended   chan error
}

// start starts the process and returns how long it took to answer.
func (s *server) start(ctx context.Context) (time.Duration, error) {
	began := s.now()
	listen := s.listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	s.output = new(tail)
	s.process = exec.Command(s.executable, "serve") //nolint:gosec,noctx // it is this program; it is ended by its stdin, or killed
	s.process.Env = append(append(environment(),
		"HANDOFF_DATA_DIR="+filepath.Join(s.dir, "data"), "HANDOFF_KEY_FILE="+s.keyFile, "HANDOFF_LISTEN="+listen,
		"HANDOFF_ALLOW_PRIVATE=127.0.0.0/8", "HANDOFF_STOP_WITH_STDIN=true"), s.settings...)
	s.process.Stdout, s.process.Stderr = s.output, s.output
	stdin, err := s.process.StdinPipe()
	if err != nil {
		return 0, err
	}
	s.stdin, s.ended = stdin, make(chan error, 1)
	if err := s.process.Start(); err != nil {
		return 0, fmt.Errorf("start %s serve: %w", s.executable, err)
	}
	go func(p *exec.Cmd, ended chan<- error) { ended <- p.Wait() }(s.process, s.ended)
	if err := s.ready(ctx); err != nil {
		return 0, fmt.Errorf("wait for the server: %w\n%s", err, s.output)
	}
	return s.now().Sub(began), nil
}

// environment is this process's, without what would change the server's.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HANDOFF_") })
}

func (s *server) ready(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		select {
		case err := <-s.ended:
			s.ended <- err
			return false, fmt.Errorf("it ended: %w", err)
		default:
		}
		c, err := s.client()
		if err != nil {
			return false, nil
		}
		defer c.Close()
		return c.Healthy(ctx) == nil, nil
	})
}

// client returns a client with the administrator's key, and remembers the
// server's address.
func (s *server) client() (*apiclient.Client, error) {
	c, err := clientfile.Read(clientfile.Path(s.keyFile))
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	s.listen = u.Host
	return apiclient.New(c.URL, c.APIKey)
}

// kill ends the process as a power cut would end it, to the process at least.
func (s *server) kill() error {
	if err := s.process.Process.Kill(); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	if err := <-s.ended; err == nil {
		return errors.New("the server ended in peace, though it was killed")
	}
	s.process = nil
	return nil
}

// stop ends the process in peace.
func (s *server) stop() error {
	if s.process == nil {
		return nil
	}
	closed := s.stdin.Close() // the process ends with it
	select {
	case err := <-s.ended:
		return errors.Join(err, closed)
	case <-time.After(patience):
		return errors.Join(closed, errors.New("the server did not stop"), s.kill())
	}
}

// tail keeps the last of what a process printed.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - 16<<10; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
