package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// What a request may take. Streams of facts move their own deadlines.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 10 * time.Second
	maxHeaderBytes    = 64 << 10
)

// Serve opens the system, serves its API on l, and works until ctx ends. It
// answers requests that have begun, finishes what is under way, and closes the
// data directory. ready is called once requests are taken.
func Serve(ctx context.Context, l net.Listener, c Config, ready func(*System) error) error {
	if c.PublicURL == "" {
		c.PublicURL = "http://" + reachable(l.Addr())
	}
	s, err := Open(ctx, c)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return errors.Join(s.serve(ctx, l, ready), s.Close())
}

func (s *System) serve(ctx context.Context, l net.Listener, ready func(*System) error) error {
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		// Requests outlive ctx: they are ended by Shutdown.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 2)
	go func() { ended <- serveOn(server, l) }()
	go func() { ended <- s.Run(run) }()
	err := ready(s)
	running := 2
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-ended:
			running--
		}
	}
	err = errors.Join(err, shutdown(ctx, server))
	stop()
	for range running {
		err = errors.Join(err, <-ended)
	}
	return err
}

func serveOn(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("end requests: %w", err), server.Close())
	}
	return nil
}
