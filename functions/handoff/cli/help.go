package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"handoff/functions/handoff/cli/terminal"
)

// helpWidth is how wide help is where nobody says.
const helpWidth = 80

// help prints what a command does, an example, and what to do next.
func (a *app) help(c *cobra.Command, _ []string) {
	width := helpWidth
	if a.out.Width > 0 {
		width = min(a.out.Width, 100)
	}
	h := helper{a.out}
	h.Width = width
	h.about(c)
	if c.Runnable() {
		h.section("Usage", "  "+useLine(c))
	}
	h.section("Examples", c.Example)
	h.section("What next", c.Annotations[keyNext])
	h.commands(c)
	h.flags(c)
	if c.HasAvailableSubCommands() {
		h.Printf("\nMore about a command: %s\n", c.CommandPath()+" COMMAND --help")
	}
	if !c.HasParent() {
		h.Printf("Completion in your shell: handoff completion --help\n")
	}
}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Tell about a command or topic",
		Long: "Tells what a command does, with examples and what to do next.", Example: "  handoff help connect\n  handoff help exit-codes",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) (all []string, _ cobra.ShellCompDirective) {
			above, _, _ := c.Root().Find(args)
			for _, s := range above.Commands() {
				all = append(all, cobra.CompletionWithDesc(s.Name(), s.Short))
			}
			return all, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage("there is no command or topic %q", strings.Join(args, " "))
			}
			a.help(about, nil)
			return nil
		},
	}
}

type helper struct{ *terminal.Terminal }

func (h helper) about(c *cobra.Command) {
	for i, part := range strings.Split(c.Long, "\n\n") {
		if i > 0 {
			h.Printf("\n")
		}
		if strings.Contains(part, "\n") || strings.HasPrefix(part, " ") { // laid out by hand
			h.Text(part + "\n")
			continue
		}
		h.Paragraph("", part)
	}
}

func (h helper) section(title, body string) {
	if body == "" {
		return
	}
	h.Printf("\n%s\n", terminal.Bold(title))
	h.Text(strings.TrimRight(body, "\n") + "\n")
}

// onlyGroups reports whether a command does nothing by itself.
func onlyGroups(c *cobra.Command) bool {
	return c.HasAvailableSubCommands() && !strings.Contains(c.Use, " ")
}

// useLine tells how a command is typed.
func useLine(c *cobra.Command) string {
	if onlyGroups(c) {
		return c.CommandPath() + " COMMAND"
	}
	line := strings.TrimSuffix(c.UseLine(), " [flags]")
	if c.IsAdditionalHelpTopicCommand() {
		return line
	}
	return line + " [FLAG…]"
}

func (h helper) commands(c *cobra.Command) {
	for _, g := range c.Groups() {
		h.list(g.Title, c.Commands(), func(s *cobra.Command) bool { return s.GroupID == g.ID && s.IsAvailableCommand() })
	}
	h.list("Commands", c.Commands(), func(s *cobra.Command) bool {
		return s.GroupID == "" && s.IsAvailableCommand() && s.Name() != "help"
	})
	h.list("Topics", c.Commands(), (*cobra.Command).IsAdditionalHelpTopicCommand)
}

func (h helper) list(title string, all []*cobra.Command, in func(*cobra.Command) bool) {
	first := true
	for _, c := range all {
		if !in(c) {
			continue
		}
		if first {
			h.Printf("\n%s\n", terminal.Bold(title))
			first = false
		}
		h.Paragraph("  "+c.Name()+strings.Repeat(" ", max(13-len(c.Name()), 1)), c.Short)
	}
}

func (h helper) flags(c *cobra.Command) {
	if c.IsAdditionalHelpTopicCommand() {
		return
	}
	everywhere := c.Root().PersistentFlags()
	h.flagList("Flags", c.Flags(), func(f *pflag.Flag) bool { return f.Name != "help" && everywhere.Lookup(f.Name) == nil })
	if !c.HasParent() || !onlyGroups(c) {
		h.flagList("Flags of every command", everywhere, func(*pflag.Flag) bool { return true })
	}
}

// flagColumn is where what a flag is for begins.
const flagColumn = 28

func (h helper) flagList(title string, all *pflag.FlagSet, in func(*pflag.Flag) bool) {
	first := true
	all.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || !in(f) {
			return
		}
		if first {
			h.Printf("\n%s\n", terminal.Bold(title))
			first = false
		}
		lead := flagName(f)
		if len(lead) > flagColumn-2 {
			h.Printf("%s\n", lead)
			lead = ""
		}
		h.Paragraph(lead+strings.Repeat(" ", flagColumn-len(lead)), flagUsage(f))
	})
}

func flagName(f *pflag.Flag) string {
	name := "      --" + f.Name
	if f.Shorthand != "" {
		name = "  -" + f.Shorthand + ", --" + f.Name
	}
	switch value, _ := pflag.UnquoteUsage(f); value {
	case "":
		return name
	case "string", "strings", "stringArray":
		return name + " VALUE"
	default:
		return name + " " + strings.ToUpper(value)
	}
}

func flagUsage(f *pflag.Flag) string {
	_, text := pflag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "false", "0", "[]":
		return text
	}
	return text + " (default: " + f.DefValue + ")"
}
