package intake

// The limits of a hand-off: characters of texts and elements of lists.
const (
	MaxConversationID  = 256
	MaxRequestID       = 256
	MaxTopic           = 256
	MaxTopics          = 100
	MaxPhrase          = 4_000
	MaxPhrases         = 100
	MaxLanguage        = 35 // what RFC 5646 §4.4.1 has room for
	MaxChannel         = 64
	MaxNote            = 4_000 // message_to_agent and summary
	MaxCustomerID      = 256
	MaxCustomerName    = 256
	MaxEmail           = 320
	MaxPhone           = 32
	MaxURL             = 2_048
	MaxTimeZone        = 64
	MaxBotID           = 256
	MaxBotName         = 256
	MaxBotVersion      = 64
	MaxVariables       = 500
	MaxVariableName    = 100
	MaxVariableText    = 32 << 10 // bytes of UTF-8, of each text in a variable
	MaxVariableChanges = 2_000
	MaxMessages        = 2_000
	MaxMessageID       = 256
	MaxMessageName     = 256
	MaxMessageText     = 32_000
	MaxAttachments     = 10 // of one message
	MaxAttachmentName  = 256
	MaxContentType     = 256
	MaxWishedQueue     = 100
	MaxWishedSkills    = 20
	MaxWishedSkill     = 64
	MaxPriority        = 100
)

// Reasons returns why a bot may say that it gave up.
func Reasons() []string {
	return []string{"customer_asked", "not_understood", "topic_needs_human", "bot_failed", "policy", "other"}
}
