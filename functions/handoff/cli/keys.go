package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"handoff/domain/identity"
	"handoff/functions/handoff/cli/instant"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/httpapi"
)

func (a *app) keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "keys", Aliases: []string{"key"}, GroupID: groupConnect, Short: "Make, list and revoke API keys",
		Long: "Every caller has a key of one role: admin may do everything, bot may raise escalations on its connection, hub may read their context and " +
			"report what became of them, auditor may read the history and verify it.",
		Example: "  handoff keys create --role auditor --name \"Ann, audit\"\n  handoff keys list",
	}
	c.AddCommand(a.keysListCommand(), a.keysCreateCommand(), a.keysRevokeCommand())
	return parent(c)
}

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Args: names(), Short: "List keys, without their secrets",
		Long:        "Lists all keys. Their secrets are not kept and can't be shown again.",
		Example:     "  handoff keys list",
		Annotations: after("handoff keys revoke KEY"),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			keys, err := client.Keys(c.Context())
			if err != nil {
				return err
			}
			table := &terminal.Table{Header: []string{"key", "role", "connection", "name", "made", "ends"}, Fixed: []int{0, 2, 4, 5}}
			for _, k := range keys {
				table.Row(k.ID, k.Role, k.Connection, k.Name, a.time(k.CreatedAt), a.time(k.ExpiresAt))
			}
			return a.printPage(httpapi.Page[httpapi.Key]{Items: keys}, table, "keys", "")
		},
	}
}

func (a *app) keysCreateCommand() *cobra.Command {
	var k httpapi.NewKey
	var expires string
	c := &cobra.Command{
		Use: "create", Args: names(), Short: "Make a key, which is shown once",
		Long:    "Makes a key of one role and shows it once. A bot's key needs its connection; a hub's or an auditor's may be limited to one.",
		Example: "  handoff keys create --role auditor --name \"Ann, audit\" --expires 90d\n  handoff keys create --role bot --connection store-bot",
		RunE: func(c *cobra.Command, _ []string) error {
			if k.Role == "" {
				return usage("--role is missing: admin, bot, hub or auditor")
			}
			if _, err := identity.ParseRole(k.Role); err != nil {
				return asUsage(err)
			}
			if k.Role == string(identity.Bot) && k.Connection == "" {
				return usage("a bot's key needs --connection")
			}
			if expires != "" {
				var err error
				if k.ValidFor, err = instant.ParseSpan(expires); err != nil {
					return asUsage(err)
				}
			}
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			made, err := client.IssueKey(c.Context(), k)
			if err != nil {
				return err
			}
			return a.print(made, func() {
				a.credential(made.Role+" key", made.Token, "shown this once: put it where you keep secrets")
				a.tell("%s\n", terminal.Dim(fmt.Sprintf("It is key %s; revoke it with: handoff keys revoke %s", made.ID, made.ID)))
			})
		},
	}
	c.Flags().StringVar(&k.Role, "role", "", "admin, bot, hub or auditor")
	c.Flags().StringVar(&k.Connection, "connection", "", "the only `connection` that the key reaches")
	c.Flags().StringVar(&k.Name, "name", "", "whose it is, for people")
	c.Flags().StringVar(&expires, "expires", "", "how long it is valid, such as 90d (default: until revoked)")
	return c
}

func (a *app) keysRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY", Args: names("KEY"), Short: "Make a key worthless, at once and for ever",
		Long:    "Makes a key worthless at once and for ever. What was done with it stays recorded under its id.",
		Example: "  handoff keys revoke mfrggzdf",
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := identity.ParseToken(args[0]); err == nil {
				return usage("that is a key itself, and it is in your shell's history now: revoke it by its id, the part between the first two underscores")
			}
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			if err := client.RevokeKey(c.Context(), args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{"revoked": args[0]}, func() { a.out.Printf("Key %s is worthless now\n", args[0]) })
		},
	}
}
