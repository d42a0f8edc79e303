package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handoff/domain/fault"
	"handoff/domain/routing"
	"handoff/functions/handoff/cli/terminal"
)

const maxRules = 1 << 20

func (a *app) rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rules", GroupID: groupConnect, Short: "Check, test, adopt and show routing rules",
		Long: "Rules say which queue an escalation goes to: a file with plain conditions, in order, of which the first that matches decides, and a fallback " +
			"queue for the rest. Checking and testing need no server.",
		Example: "  handoff rules check rules.yaml\n  handoff rules adopt store-bot rules.yaml",
	}
	c.AddCommand(a.rulesCheckCommand(), a.rulesTestCommand(), a.rulesAdoptCommand(), a.rulesShowCommand())
	return parent(c)
}

func (a *app) rulesCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Args: names("FILE"), Short: "Check a rules file and run its tests",
		Long:        "Checks a rules file on this machine, its own tests included, and tells everything that is wrong with its line. A file that passes here is one that a server adopts.",
		Example:     "  handoff rules check rules.yaml",
		Annotations: after("handoff rules adopt CONNECTION FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			source, err := a.readFile(args[0], maxRules)
			if err != nil {
				return err
			}
			set, err := routing.Parse(source)
			if err != nil {
				return a.findings(args[0], source, err)
			}
			return a.print(map[string]any{"rule_set": set.Hash(), "rules": len(set.Rules()), "tests": len(set.RunTests())}, func() {
				a.out.Printf("%s is right: %s, %s, %s, all tests pass\n", args[0], plural(int64(len(set.Rules())), "rule"),
					plural(int64(len(set.Queues())), "queue"), plural(int64(len(set.RunTests())), "test"))
				a.out.Printf("  %s\n", terminal.Dim(set.Hash()))
			})
		},
	}
}

// findings prints what is wrong with a rules file, each finding with its line of
// the file.
func (a *app) findings(name string, source []byte, err error) error {
	f := fault.Of(err)
	if f == nil || len(f.Problems) == 0 {
		return asUsage(err)
	}
	failed := &checkError{fmt.Sprintf("%s: %s", name, plural(int64(len(f.Problems)), "finding"))}
	if a.json {
		return errors.Join(a.printJSON(map[string]any{"problems": f.Problems}, "  "), failed)
	}
	lines := strings.Split(string(source), "\n")
	for _, p := range f.Problems {
		a.out.Printf("%s:%d:%d: ", terminal.Bold(name), p.Line, p.Column)
		if p.Rule != "" {
			a.out.Printf("rule %q: ", p.Rule)
		}
		a.out.Printf("%s\n", terminal.Red(p.Detail))
		if p.Line >= 1 && p.Line <= len(lines) {
			a.out.Printf("    %s\n", terminal.Dim(strings.TrimSpace(lines[p.Line-1])))
		}
	}
	return failed
}

func (a *app) rulesTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test FILE", Args: names("FILE"), Short: "Run the tests inside a rules file, one line each",
		Long:        "Runs the tests that stand inside a rules file, on this machine, and tells of each which rule decided. It ends with code 1 if one fails.",
		Example:     "  handoff rules test rules.yaml",
		Annotations: after("handoff rules adopt CONNECTION FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			source, err := a.readFile(args[0], maxRules)
			if err != nil {
				return err
			}
			set, err := routing.Load(source) // which does not refuse tests that fail
			if err != nil {
				return a.findings(args[0], source, err)
			}
			return a.testRules(args[0], set)
		},
	}
}

// ruleTest is the outcome of one test, for programs.
type ruleTest struct {
	Name   string `json:"name"`
	Line   int    `json:"line"`
	Passed bool   `json:"passed"`
	Queue  string `json:"queue"`
	Rule   string `json:"rule,omitempty"`
	Detail string `json:"detail,omitempty"`
}

func (a *app) testRules(file string, set *routing.RuleSet) error {
	results := set.RunTests()
	all := make([]ruleTest, len(results))
	failed := 0
	for i, r := range results {
		all[i] = ruleTest{Name: r.Name, Line: r.Line, Passed: r.Passed, Queue: r.Decision.Queue.ID, Rule: r.Decision.Rule, Detail: r.Detail}
		if !r.Passed {
			failed++
		}
	}
	err := a.print(all, func() {
		for _, t := range all {
			a.printTest(t)
		}
		a.out.Printf("%s, %d failed\n", plural(int64(len(all)), "test"), failed)
	})
	if failed > 0 {
		return errors.Join(err, &checkError{fmt.Sprintf("%s: %s failed", file, plural(int64(failed), "test"))})
	}
	return err
}

func (a *app) printTest(t ruleTest) {
	because := "the fallback, no rule matched"
	if t.Rule != "" {
		because = fmt.Sprintf("rule %q", t.Rule)
	}
	if t.Passed {
		a.out.Paragraph(" pass  ", fmt.Sprintf("%s: %s, %s", t.Name, t.Queue, because))
		return
	}
	a.out.Paragraph(" FAIL  ", terminal.Red(fmt.Sprintf("%s (line %d): %s", t.Name, t.Line, t.Detail)))
}

func (a *app) rulesAdoptCommand() *cobra.Command {
	var ifMatch string
	c := &cobra.Command{
		Use: "adopt CONNECTION FILE", Args: names("CONNECTION", "FILE"), Short: "Put a rules file into force",
		Long: "Checks a rules file and puts it into force for the next escalations of a connection. What was routed before stays where it is. " +
			"With --if-match it is adopted only if nobody changed the rules since you looked.",
		Example:     "  handoff rules adopt store-bot rules.yaml\n  handoff rules adopt store-bot rules.yaml --if-match sha256:9f86…",
		Annotations: after("handoff rules show CONNECTION", "handoff raise CONNECTION --topic …   and handoff why ESCALATION, to see it work"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.adoptRules(c.Context(), args[0], args[1], ifMatch)
		},
	}
	c.Flags().StringVar(&ifMatch, "if-match", "", "`hash` of the rules that must be in force")
	return c
}

func (a *app) adoptRules(ctx context.Context, id, file, ifMatch string) error {
	source, err := a.readFile(file, maxRules)
	if err != nil {
		return err
	}
	if _, err := routing.Parse(source); err != nil {
		return a.findings(file, source, err)
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	hash, err := client.AdoptRules(ctx, id, source, ifMatch)
	if fault.Is(err, "rules-invalid") { // by a server of another version
		return a.findings(file, source, err)
	}
	if err != nil {
		return err
	}
	return a.print(map[string]string{"rule_set": hash}, func() { a.out.Printf("%s routes by %s from now on\n  %s\n", id, file, terminal.Dim(hash)) })
}

func (a *app) rulesShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show CONNECTION", Args: names("CONNECTION"), Short: "Show the rules in force",
		Long:        "Prints the rules file that is in force for a connection, as it was adopted, and its hash on standard error.",
		Example:     "  handoff rules show store-bot > rules.yaml",
		Annotations: after("handoff rules check FILE", "handoff rules adopt CONNECTION FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			source, hash, err := client.Rules(c.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]string{"rule_set": hash, "source": string(source)}, "  ")
			}
			a.tell("%s\n", terminal.Dim("# "+hash))
			if a.out.Width == 0 { // a file gets the bytes, a screen what is safe to show
				_, err = a.out.Write(source)
				return err
			}
			a.out.Text(string(source))
			return nil
		},
	}
}
