package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

var errNoAnswer = errors.New("there was no answer")

// ask asks a question on the terminal. An empty answer is the one proposed.
func (a *app) ask(ctx context.Context, question, proposed string) (string, error) {
	if proposed != "" {
		question += " [" + proposed + "]"
	}
	a.note.Printf("%s: ", question)
	if err := errors.Join(a.out.Flush(), a.note.Flush()); err != nil {
		return "", err
	}
	line, err := a.await(ctx, func() (string, error) { return a.in.ReadString('\n') })
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", unanswered(err)
	}
	if line = strings.TrimSpace(line); line != "" {
		return line, nil
	}
	return proposed, nil
}

// need asks until there is an answer.
func (a *app) need(ctx context.Context, question, proposed string) (answer string, err error) {
	for answer == "" && err == nil {
		answer, err = a.ask(ctx, question, proposed)
	}
	return answer, err
}

// confirm asks for a yes, which takes that word.
func (a *app) confirm(ctx context.Context, question string) error {
	answer, err := a.ask(ctx, question+` Type "yes" to go on`, "")
	if err != nil {
		return err
	}
	if !strings.EqualFold(answer, "yes") {
		return &checkError{"nothing was done: the answer was not yes"}
	}
	return nil
}

// askSecret asks for something that is not shown while it is typed.
func (a *app) askSecret(ctx context.Context, question string) (string, error) {
	in := a.Stdin.(*os.File) // interactive checked it
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for a secret: %w", err)
	}
	a.note.Printf("%s", question)
	_ = a.note.Flush() // if the question can't be shown there is no answer either
	secret, err := a.await(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	a.note.Printf("\n")
	if err != nil {
		return "", errors.Join(unanswered(err), term.Restore(fd, before))
	}
	return strings.TrimSpace(secret), nil
}

// await reads from the terminal until ctx is cancelled. A read from a terminal
// can't be broken off: its goroutine ends with the process, which ends then.
func (a *app) await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		s, err := read()
		got <- answer{s, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case x := <-got:
		return x.text, x.err
	}
}

func unanswered(err error) error {
	if errors.Is(err, io.EOF) {
		return asUsage(errNoAnswer)
	}
	return err
}
