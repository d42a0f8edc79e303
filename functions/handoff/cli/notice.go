package cli

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
