package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handoff/domain/audit"
	"handoff/functions/handoff/cli/terminal"
)

type verifyOptions struct {
	source

	against string
}

func (a *app) verifyCommand() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use: "verify", GroupID: groupAudit, Args: names(), Short: "Check that the history is whole and unchanged",
		Long: "Checks every recorded fact: that it is chained to the one before it, that none is missing, that sealed parts are those that were sealed, and that " +
			"each carried state follows from its facts. It prints one head over everything. Keep that head somewhere else: with --against an earlier head it also " +
			"proves that nothing which was there then was changed since. It ends with code 1 if something breaks, and says where.\n\n" +
			"With --data it reads a data directory instead of asking a server; no key is needed, and a server may be running on it. With --stack it reads the " +
			"tables of a stack on AWS, with your AWS credentials: for histories that are too long for the fifteen minutes of a Lambda.",
		Example: "  handoff verify\n  handoff verify --quiet > head.txt\n  handoff verify --against \"$(cat head.txt)\"\n  handoff verify --data ./data --json\n  handoff verify --stack handoff-prod",
		RunE:    func(c *cobra.Command, _ []string) error { return a.verify(c.Context(), o) },
	}
	c.Flags().StringVar(&o.against, "against", "", "a `head` that verify printed earlier")
	sourceFlags(c.Flags(), &o.source)
	return c
}

func (a *app) verify(ctx context.Context, o verifyOptions) error {
	o.against = strings.TrimSpace(o.against)
	v, err := a.verified(ctx, o)
	if err != nil {
		return err
	}
	if err := a.print(v, func() { a.showVerified(v) }); err != nil {
		return err
	}
	if !v.OK {
		return &checkError{"the history is not whole: " + plural(int64(len(v.Problems)), "break")}
	}
	return nil
}

func (a *app) verified(ctx context.Context, o verifyOptions) (v audit.Verified, err error) {
	if !o.given() {
		client, err := a.client(ctx)
		if err != nil {
			return v, err
		}
		err = a.patiently(ctx, "verifying", func(ctx context.Context) (err error) {
			v, err = client.Verify(ctx, o.against)
			return err
		})
		return v, err
	}
	d, end, err := a.open(ctx, o.source)
	if err != nil {
		return v, err
	}
	v, err = d.Verify(ctx, o.against, a.progress("verifying"))
	return v, errors.Join(err, end())
}

func (a *app) showVerified(v audit.Verified) {
	if a.quiet && v.OK {
		a.out.Printf("%s\n", v.Head)
		return
	}
	what := plural(v.Facts, "fact") + " in " + plural(v.Streams, "stream")
	if v.OK {
		a.out.Printf("%s  %s, chain intact\n", terminal.Green("OK"), what)
	} else {
		a.out.Printf("%s  %s\n", terminal.Red("BROKEN"), what)
	}
	for _, p := range v.Problems {
		a.out.Paragraph("  ", terminal.Red(breach(p)))
	}
	a.out.Printf("  head %s\n", v.Head)
	switch v.Against {
	case "same":
		a.out.Printf("  The log is the same as when the earlier head was taken.\n")
	case "grown":
		a.out.Printf("  All that was there when the earlier head was taken is unchanged; facts came after it.\n")
	case "broken":
		a.out.Printf("  %s\n", terminal.Red("What was there when the earlier head was taken is not what is there now."))
	case "":
		if v.OK {
			a.tell("Keep the head elsewhere; later: handoff verify --against HEAD\n")
		}
	}
}

// breach says where something breaks, and how.
func breach(b audit.Breach) string {
	var at []string
	if b.Position > 0 {
		at = append(at, fmt.Sprintf("position %d", b.Position))
	}
	if b.Fact != "" {
		at = append(at, "fact "+b.Fact)
	}
	if len(at) == 0 {
		return b.Detail + " (" + b.Code + ")"
	}
	return strings.Join(at, ", ") + ": " + b.Detail + " (" + b.Code + ")"
}
