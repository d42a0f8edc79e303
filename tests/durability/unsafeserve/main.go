// Command unsafeserve is handoff serve without any fsync. It exists so that the
// durability test can show that it notices.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"handoff/functions/handoff/system"
	"handoff/infra/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	s, err := settings.Load(os.LookupEnv, settings.Home{})
	if err != nil {
		return err
	}
	return system.Program{Settings: s, Version: "unsafe", Out: os.Stdout, Log: os.Stderr, Now: time.Now, UnsafeNoSync: true}.Serve(ctx)
}
