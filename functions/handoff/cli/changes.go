package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handoff/domain/connection"
)

// showChanges shows what Handoff changed at a hub, and who allowed more.
func (a *app) showChanges(c connection.State) {
	if m := c.Messaging; m != nil {
		a.pair("messages", "the Azure Bot posts to "+m.Is)
	}
	if o := c.Allowed; o != nil {
		var may []string
		if o.AddRules {
			may = append(may, "add rules to the hub")
		}
		if o.TakeOverEndpoint {
			may = append(may, "take the Azure Bot's endpoint over")
		}
		a.pair("allowed", fmt.Sprintf("%s lets Handoff %s", o.By, strings.Join(may, " and ")))
	}
	for _, r := range c.HubRules {
		a.pair("hub rule", fmt.Sprintf("%s goes to %s", r.Queue, joined(r.HubQueue.Name, r.HubQueue.ID)))
	}
}

func (a *app) connectionsRotateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rotate-application-secret CONNECTION", Args: names("CONNECTION"), Short: "Renew the secret of the application id",
		Long: "Has Microsoft Entra ID (Azure AD) make a new secret for the application id of a connection with Omnichannel. The server keeps it once it " +
			"works, and nobody is shown it; the one that Handoff made before stops working. A secret that a person made stays: remove it yourself.",
		Example:     "  handoff connections rotate-application-secret store-bot",
		Annotations: after("handoff check CONNECTION       whether a secret ends soon"),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client(c.Context())
			if err != nil {
				return err
			}
			s, err := client.RotateApplicationSecret(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(s, func() { a.out.Printf("%s has a new secret for application %s.\n", s.ID, s.ApplicationID) })
		},
	}
}
