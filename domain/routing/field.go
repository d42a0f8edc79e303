package routing

import (
	"slices"

	"cel.dev/cel-go/cel"
)

// field is something that every escalation has, known or not.
type field uint8

const (
	fieldTopic field = iota
	fieldTopics
	fieldLastPhrase
	fieldPhrases
	fieldLanguage
	fieldChannel
	fieldReason
	fieldCustomerID
	fieldCustomerName
	fieldCustomerEmail
	fieldCustomerPhone
	fieldCustomerVerified
	fieldCustomerPageURL
	fieldCustomerTimeZone
	fieldBotID
	fieldBotName
	fieldWishesQueue
	fieldWishesSkills
	fieldWishesPriority
	fieldTime
	fieldCount
	fieldVariable // one of the bot's variables, not a field
)

// nature is what a condition's subject holds, and so which operators fit.
type nature uint8

const (
	natureText nature = iota
	natureTexts
	natureFlag
	natureNumber
	natureTime
	natureAny // an undeclared variable: the operand tells
	natureMap
)

// fieldTable names the fields: in the file, in English, and for `when`.
//
//nolint:gochecknoglobals // a table that never changes
var fieldTable = [fieldCount]struct {
	name, english string
	nature        nature
}{
	fieldTopic:            {"topic", "topic", natureText},
	fieldTopics:           {"topics", "one of the topics", natureTexts},
	fieldLastPhrase:       {"last_phrase", "last phrase", natureText},
	fieldPhrases:          {"phrases", "one of the phrases", natureTexts},
	fieldLanguage:         {"language", "language", natureText},
	fieldChannel:          {"channel", "channel", natureText},
	fieldReason:           {"reason", "reason", natureText},
	fieldCustomerID:       {"customer.id", "customer id", natureText},
	fieldCustomerName:     {"customer.name", "customer name", natureText},
	fieldCustomerEmail:    {"customer.email", "customer email", natureText},
	fieldCustomerPhone:    {"customer.phone", "customer phone", natureText},
	fieldCustomerVerified: {"customer.verified", "customer verified", natureFlag},
	fieldCustomerPageURL:  {"customer.page_url", "customer page", natureText},
	fieldCustomerTimeZone: {"customer.time_zone", "customer time zone", natureText},
	fieldBotID:            {"bot.id", "bot id", natureText},
	fieldBotName:          {"bot.name", "bot name", natureText},
	fieldWishesQueue:      {"wishes.queue", "wished queue", natureText},
	fieldWishesSkills:     {"wishes.skills", "one of the wished skills", natureTexts},
	fieldWishesPriority:   {"wishes.priority", "wished priority", natureNumber},
	fieldTime:             {"time", "time", natureTime},
}

// celTypes are the types of the fields in `when`; the time is taken apart.
//
//nolint:gochecknoglobals // a table that never changes
var celTypes = map[nature]*cel.Type{
	natureText:   cel.StringType,
	natureTexts:  cel.ListType(cel.StringType),
	natureFlag:   cel.BoolType,
	natureNumber: cel.IntType,
}

// clockFields are the parts of the local time that `when` sees.
//
//nolint:gochecknoglobals // a table that never changes
var clockFields = map[string]*cel.Type{
	"time.date": cel.StringType, "time.weekday": cel.StringType,
	"time.hour": cel.IntType, "time.minute": cel.IntType,
}

func fieldNames() []string {
	names := make([]string, 0, fieldCount+1)
	for _, f := range fieldTable {
		names = append(names, f.name)
	}
	return append(names, "variable")
}

// fieldOf returns the field with the given name.
func fieldOf(name string) (field, bool) {
	for i, f := range fieldTable {
		if f.name == name {
			return field(i), true
		}
	}
	return 0, false
}

// subject is what a condition looks at: a field, or the variable with an index.
type subject struct {
	field    field
	variable int
}

// variable is one of the bot's variables that the file names.
type variable struct {
	name     string
	declared bool
	kind     string // one of variableKinds where declared
	fallback []byte // the default as JSON, or nil
}

// variableKinds are the types that a variable may be declared with.
//
//nolint:gochecknoglobals // a table that never changes
var variableKinds = []string{"string", "int", "double", "bool", "list", "map", "any"}

func (v *variable) nature() nature {
	switch v.kind {
	case "string":
		return natureText
	case "list":
		return natureTexts
	case "int", "double":
		return natureNumber
	case "bool":
		return natureFlag
	case "map":
		return natureMap
	}
	return natureAny
}

func (v *variable) celType() *cel.Type {
	switch v.kind {
	case "string":
		return cel.StringType
	case "int":
		return cel.IntType
	case "double":
		return cel.DoubleType
	case "bool":
		return cel.BoolType
	case "list":
		return cel.ListType(cel.DynType)
	case "map":
		return cel.MapType(cel.StringType, cel.DynType)
	}
	return cel.DynType
}

// operator compares a subject with operands.
type operator uint8

const (
	opIs operator = iota
	opIsNot
	opOneOf
	opStartsWith
	opEndsWith
	opContains
	opHasWord
	opMatches
	opAtLeast
	opAtMost
	opAbove
	opBelow
	opPresent
	opAbsent
	opWithin
	opOutside
	opOn
	opNotOn
	opCount
)

// operatorTable names the operators: in the file, in a statement ("topic is
// Refund") and in a need ("needs at least 500"); %s is the operand.
//
//nolint:gochecknoglobals // a table that never changes
var operatorTable = [opCount]struct {
	name, statement, need string
	natures               []nature
}{
	opIs:         {"is", "is %s", "%s", []nature{natureText, natureTexts, natureFlag, natureNumber, natureAny}},
	opIsNot:      {"is_not", "is not %s", "anything but %s", []nature{natureText, natureTexts, natureNumber, natureAny}},
	opOneOf:      {"one_of", "is one of %s", "one of %s", []nature{natureText, natureTexts, natureNumber, natureAny}},
	opStartsWith: {"starts_with", "starts with %s", "a text that starts with %s", textual},
	opEndsWith:   {"ends_with", "ends with %s", "a text that ends with %s", textual},
	opContains:   {"contains", "contains %s", "a text that contains %s", textual},
	opHasWord:    {"has_word", "has the word %s", "the word %s", textual},
	opMatches:    {"matches", "matches %s", "a text that matches %s", textual},
	opAtLeast:    {"at_least", "is at least %s", "at least %s", numeric},
	opAtMost:     {"at_most", "is at most %s", "at most %s", numeric},
	opAbove:      {"above", "is above %s", "more than %s", numeric},
	opBelow:      {"below", "is below %s", "less than %s", numeric},
	opPresent:    {"present", "is present", "", sendable},
	opAbsent:     {"absent", "is absent", "", sendable},
	opWithin:     {"within", "is within %s", "%s", []nature{natureTime}},
	opOutside:    {"outside", "is outside %s", "a time outside %s", []nature{natureTime}},
	opOn:         {"on", "is on %s", "%s", []nature{natureTime}},
	opNotOn:      {"not_on", "is not on %s", "any day but %s", []nature{natureTime}},
}

//nolint:gochecknoglobals // tables that never change
var (
	textual  = []nature{natureText, natureTexts, natureAny}
	numeric  = []nature{natureNumber, natureAny}
	sendable = []nature{natureText, natureTexts, natureFlag, natureNumber, natureAny, natureMap}
)

// operatorOf returns the operator with the given name, if it fits the nature.
func operatorOf(name string, n nature) (operator, bool) {
	for i := range operatorTable {
		if operatorTable[i].name == name {
			return operator(i), slices.Contains(operatorTable[i].natures, n)
		}
	}
	return 0, false
}

// operatorNames returns the operators that fit a nature.
func operatorNames(n nature) []string {
	var names []string
	for i := range operatorTable {
		if slices.Contains(operatorTable[i].natures, n) {
			names = append(names, operatorTable[i].name)
		}
	}
	return names
}
