package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// NoticeVersion is the version of the notice that this program shows. A new
// text has a new version: facts record which one was acknowledged.
const NoticeVersion = "2026-11"

// notice is what somebody must acknowledge before a bot is connected.
func notice() []string {
	return []string{
		"Privacy: a conversation that is handed over leaves the bot's platform. Its transcript, all that the bot knew of the customer, and " +
			"what the customer wrote go to Handoff and to every endpoint of this connection, which may be in another country or under another law. " +
			"Tell your customers, and connect only if you may.",
		"Emergencies: bots are not for emergencies. Neither a bot nor a hand-off replaces the emergency number, and no answer in time is promised. " +
			"Say so where the bot greets its customers.",
	}
}

func noticeTopic() *cobra.Command {
	return &cobra.Command{
		Use: "notice", Short: "What is acknowledged before a bot is connected",
		Long: strings.Join(notice(), "\n\n") + "\n\nThis is version " + NoticeVersion + " of the notice. A connection is made only if somebody acknowledges it; who, when and which version is recorded.",
	}
}
