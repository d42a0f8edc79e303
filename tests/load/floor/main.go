// Command floor is what Handoff's intake is measured beside: a server that reads
// a request and only answers it (answer), or answers once the body is on disk in
// a raw log (append). Nothing that takes the same requests can be faster than
// the first, and nothing that keeps them durably can be faster than the second.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, os.Args[1:], os.Getenv("HANDOFF_LISTEN"), os.Getenv("HANDOFF_DATA_DIR"))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, args []string, listen, dir string) error {
	take := func(context.Context, []byte) error { return nil }
	if len(args) == 1 && args[0] == "append" {
		l, err := openLog(dir)
		if err != nil {
			return err
		}
		go l.write()
		take = l.append
	}
	srv := http.Server{Addr: listen, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, err := io.Copy(&body, r.Body)
		if err == nil {
			err = take(r.Context(), body.Bytes())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})}
	go func() {
		<-ctx.Done()
		_ = srv.Close() // the process ends
	}()
	if err := srv.ListenAndServe(); err != http.ErrServerClosed { //nolint:errorlint // net/http returns it bare
		return err
	}
	return nil
}

// rawLog is a file that only grows: one write and one fdatasync for all bodies
// that wait, and nothing else. It can't be read, for it keeps no lengths.
type rawLog struct {
	file  *os.File
	waits chan body
}

type body struct {
	bytes []byte
	ended chan error
}

const maxGroup = 512

func openLog(dir string) (*rawLog, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, "raw.log"))
	return &rawLog{file: f, waits: make(chan body, maxGroup)}, err
}

func (l *rawLog) append(ctx context.Context, b []byte) error {
	one := body{bytes: b, ended: make(chan error, 1)}
	select {
	case l.waits <- one:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-one.ended
}

func (l *rawLog) write() {
	for first := range l.waits {
		group := []body{first}
		for more := true; more && len(group) < maxGroup; {
			select {
			case b := <-l.waits:
				group = append(group, b)
			default:
				more = false
			}
		}
		var all bytes.Buffer
		for _, b := range group {
			all.Write(b.bytes)
		}
		_, err := l.file.Write(all.Bytes())
		if err == nil {
			err = sync(l.file)
		}
		for _, b := range group {
			b.ended <- err
		}
	}
}
