package cli

import (
	"strings"

	"github.com/spf13/cobra"

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
	h := helper{Terminal: a.out, columns: width}
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
}

type helper struct {
	*terminal.Terminal
	columns int
}

func (h helper) about(c *cobra.Command) {
	if c.Long == "" {
		h.Paragraph("", c.Short+".")
		return
	}
	if strings.Contains(c.Long, "\n") { // laid out by hand
		h.Text(c.Long + "\n")
		return
	}
	h.Paragraph("", c.Long)
}

func (h helper) section(title, body string) {
	if body == "" {
		return
	}
	h.Printf("\n%s\n", terminal.Bold(title))
	h.Text(strings.TrimRight(body, "\n") + "\n")
}

// useLine names the flags only where a command has some of its own.
func useLine(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	line := c.UseLine()
	if c.HasAvailableLocalFlags() {
		return line
	}
	return strings.TrimSuffix(line, " [flags]")
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
	if !c.HasParent() {
		h.section("Flags of every command", c.PersistentFlags().FlagUsagesWrapped(h.columns))
		return
	}
	own := c.LocalNonPersistentFlags()
	h.section("Flags", own.FlagUsagesWrapped(h.columns))
	if !c.HasAvailableSubCommands() {
		h.section("Flags of every command", c.InheritedFlags().FlagUsagesWrapped(h.columns))
	}
}
