package e2e_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shown are tests by the folder that they are in: functions, or one case of a
// table as Function/sentence.
type shown map[string][]string

const here = "tests/e2e"

// rows are what the vendor's document promises of a hand-off, in its order, each
// with the tests that show it through the running program.
func rows() map[string]shown {
	return map[string]shown{
		"the bot hands off with the whole history and all variables": {here: {
			"TestARelayedConversationFromEndToEnd", "TestAnAdvisedConversationFromEndToEnd", "TestActivitiesComeOutAsTheyWereMeant",
		}},
		"the hub routes to the right queue, by its rules, or to its fallback queue": {here: {
			"TestARelayedConversationFromEndToEnd", "TestAPredictionOfWhatTheHubChooses/that is right", "TestAPredictionOfWhatTheHubChooses/that is wrong",
			"TestWithoutAdviceTheHubsFallbackTakesTheCustomer/Handoff is down", "TestAHubWhoseRulesAreBrokenOverrulesUs",
		}},
		"the human agent reviews the context and resumes": {here: {
			"TestARelayedConversationFromEndToEnd", "TestACustomerForWhomNobodyIsThereWaits", "TestAnOverflowingQueueEndsTheConversation",
		}},
		"an application id is made or reused, unique to the organisation": {here: {
			"TestAnApplicationIDIsMadeOrReusedAndUniqueInItsOrganisation/one is made where there is none",
			"TestAnApplicationIDIsMadeOrReusedAndUniqueInItsOrganisation/that of the Azure Bot is reused",
			"TestAnApplicationIDIsMadeOrReusedAndUniqueInItsOrganisation/another tenant can't have it in the same organisation",
		}},
		"the Teams channel is turned on if it is not": {here: {
			"TestTheTeamsChannelIsTurnedOnIfItIsOff/it is on already", "TestTheTeamsChannelIsTurnedOnIfItIsOff/it is disabled",
			"TestTheTeamsChannelIsTurnedOnIfItIsOff/the bot has none: 404", "TestTheTeamsChannelIsTurnedOnIfItIsOff/somebody changes it: 409",
		}},
		"the environment is chosen in which the hub is": {here: {"TestTheEnvironmentOfTheHub"}},
		"the bot must be published":                     {here: {"TestPublishStateIsFollowed", "TestTheHealthOfABotOfAnotherMakerIsFollowed", "TestOmnichannelIsConnectedCheckedAndLeft"}},
		"the hub's embed code is used, not the bot's":   {here: {"TestTheEmbedCodeIsTheHubs/as the hub gives it", "TestTheEmbedCodeIsTheHubs/the bot's own"}},
		"a disconnect disables the user and keeps history, a reconnect enables it": {here: {
			"TestADisconnectKeepsHistoryAndAReconnectGoesOn", "TestOmnichannelIsConnectedCheckedAndLeft",
		}},
		"data stays in its geography": {here: {
			"TestDataStaysInItsGeographyUnlessSomebodyAnswersForIt/the hub is elsewhere", "TestDataStaysInItsGeographyUnlessSomebodyAnswersForIt/somebody answers for it",
		}},
		"the privacy notice is acknowledged before anything happens": {here: {"TestNothingHappensBeforeTheNoticeIsAcknowledged"}},
		"known limitations are said":                                 {here: {"TestKnownLimitationsAreSaid"}},
	}
}

// edges are the odd things that the real protocols are known to do, each with
// the tests that hold it at the place where it is decided.
func edges() map[string]shown {
	const framework, hub, fake = "infra/microsoft/botframework", "infra/microsoft/omnichannel", "tests/hubtest"
	return map[string]shown{
		"va_LastPhrase, va_LastPhrases, and both": {
			framework: {"TestOdditiesOfAnActivity/va_LastPhrases alone", "TestOdditiesOfAnActivity/both, the singular wins", "TestOdditiesOfAnActivity/both, the singular is empty"},
			hub:       {"TestTheVariablesOfPowerVirtualAgents/an empty one is filled (8.1)"},
		},
		"no attachments, a URL only, two transcripts, a name in lower case, a wrong type": {
			framework: {
				"TestOdditiesOfAnActivity/no attachments", "TestTranscriptsInEveryPacking/a URL", "TestTranscriptsInEveryPacking/two attachments",
				"TestTranscriptsInEveryPacking/a name in lower case", "TestTranscriptsInEveryPacking/a wrong type is ignored",
			},
			here: {"TestActivitiesComeOutAsTheyWereMeant/two transcripts", "TestATranscriptByURLOfAnActivity"},
		},
		"a transcript that is a text": {
			framework: {"TestTranscriptsInEveryPacking/a text with an object"}, here: {"TestActivitiesComeOutAsTheyWereMeant/a transcript as text"},
		},
		"values of every kind, the 101st variable, 4,001 characters, a name of 101": {
			framework: {"TestOdditiesOfAnActivity/a value of null", "TestOdditiesOfAnActivity/numbers, truths and nests"},
			hub:       {"TestOneHundredVariables/the 101st (8.4)", "TestValues/4,001 characters (8.4)", "TestNames"},
			here:      {"TestActivitiesComeOutAsTheyWereMeant/a hundred and one"},
		},
		"no activities, gaps in ids, an id twice, times out of order, times and roles that are numbers": {
			framework: {
				"TestTranscriptsInEveryPacking/no activities", "TestAPayloadOfPowerVirtualAgentsIsReadWhole", "TestTheSameMessageIDTwice",
				"TestOdditiesOfMessages/a role of 1 and seconds",
			},
			here: {"TestActivitiesComeOutAsTheyWereMeant/numbers for times and roles", "TestActivitiesComeOutAsTheyWereMeant/an id twice"},
		},
		"the same request again while the first is worked on, and after a restart": {
			here:          {"TestThirtyTwoRepeatsAtOnceAreOneEscalation", "TestAnActivitySentAgainIsARepeat"},
			"tests/relay": {"TestRepeatsAndForgeriesOfTheHub"}, "tests/crash": {"TestRelayedConversationsSurviveKills"},
		},
		"two hand-offs in one conversation": {
			here: {"TestAHandOffAfterTheEndIsTheNextNumber", "TestAnActivitySentAgainIsARepeat"}, "functions/relay": {"TestASecondHandOffIsRefusedLikeEveryLateWord"},
		},
		"a status of an unknown conversation, out of order, or that nobody knows": {
			here: {"TestOtherActivitiesAreIgnored", "TestAHubReportsWhatBecameOfAnEscalation"}, "domain/conversation": {"TestReport"},
			"domain/hubrecord": {"TestObservation/a status of tomorrow is unknown"}, "functions/hubwatch": {"TestWhatIsUnknownOrNotOursIsLeftAlone"},
		},
		"unknown events are ignored, unknown fields survive": {
			here: {"TestOtherActivitiesAreIgnored", "TestUnknownFieldsComeOutAgain"}, framework: {"TestNoFieldOfAPayloadIsLost"},
		},
		"tokens that are wrong in each way, a body that is too large, a byte order mark": {
			"infra/microsoft/botauth":  {"TestEachCheckRefusesForItsOwnReason", "TestSimulatedForgeries"},
			"infra/microsoft/relaying": {"TestWhatStrangersAreAnswered"}, "tests/relay": {"TestRepeatsAndForgeriesOfTheHub"},
			here: {"TestBodiesHaveALimit", "TestOtherActivitiesAreIgnored"},
		},
		"the hub's rules: no match, malformed, overflow, closed, disabled, shares that are not 100": {
			fake: {
				"TestSimulation/no rule, a malformed ruleset, and a queue that is not there lead to the fallback queue",
				"TestSimulation/the first match that does not overflow gets it", "TestSimulation/where all overflow the action is done: to another queue, or the end",
				"TestSimulation/outside of its hours a queue overflows if its rules say so, an open one is preferred", "TestSimulation/a disabled rule is passed over",
			},
			"infra/microsoft/simulation/ruleset": {"TestParse/shares that do not make 100"},
			here:                                 {"TestAHubWhoseRulesAreBrokenOverrulesUs", "TestAnOverflowingQueueEndsTheConversation"},
		},
		"a queue with the bot only, and nobody there": {
			"infra/microsoft/provider": {"TestWhatIsMissingIsFoundFirst/nobody is in the queue"},
			fake:                       {"TestSimulation/a queue without people strands it, until somebody joins"}, here: {"TestACustomerForWhomNobodyIsThereWaits"},
		},
		"a bot that is unpublished later, deleted, or of which nobody knows for a minute": {here: {"TestPublishStateIsFollowed"}, "domain/publication": {"TestUnknownIsNeverUnpublished"}},
		"an application id that is used in this environment, in another one, or by a disabled user": {
			"infra/microsoft/provider": {"TestApplicationIDsOfOthers", "TestDisconnectAndReconnect"},
			here:                       {"TestAnApplicationIDIsMadeOrReusedAndUniqueInItsOrganisation/another tenant can't have it in the same organisation"},
		},
		"the Teams channel on, disabled, missing, and in a conflict": {
			here: {
				"TestTheTeamsChannelIsTurnedOnIfItIsOff/it is on already", "TestTheTeamsChannelIsTurnedOnIfItIsOff/it is disabled",
				"TestTheTeamsChannelIsTurnedOnIfItIsOff/the bot has none: 404", "TestTheTeamsChannelIsTurnedOnIfItIsOff/somebody changes it: 409",
			},
		},
		"a disconnect in the middle, twice, a reconnect, and a replay of it all": {here: {"TestADisconnectKeepsHistoryAndAReconnectGoesOn"}, "infra/microsoft/provider": {"TestDisconnectAndReconnect"}},
		"the bot's embed code for the hub's, attributes in any order, quotes, case, lines": {
			hub: {"TestWidgets", "TestCodesThatAreRefused"}, here: {"TestTheEmbedCodeIsTheHubs/in another order, each on a line of its own", "TestTheEmbedCodeIsTheHubs/the bot's own"},
		},
		"regions that differ, that nobody knows, and a government's cloud": {
			here: {
				"TestDataStaysInItsGeographyUnlessSomebodyAnswersForIt/the hub is elsewhere", "TestDataStaysInItsGeographyUnlessSomebodyAnswersForIt/the region is none",
				"TestDataStaysInItsGeographyUnlessSomebodyAnswersForIt/the hub is in a government's cloud",
			},
			"infra/microsoft/entra": {"TestNationalCloudsAreRefused"},
		},
	}
}

func TestEveryRowAndEveryEdgeHasItsTests(t *testing.T) {
	t.Parallel()
	const edgesKnown = 18
	if n := len(edges()); n != edgesKnown {
		t.Errorf("%d edges, want %d", n, edgesKnown)
	}
	for row, tests := range rows() {
		if len(tests[here]) == 0 {
			t.Errorf("%s: no test runs the program", row)
		}
	}
	known := map[string]source{}
	for _, table := range []map[string]shown{rows(), edges()} {
		for what, tests := range table {
			for folder, names := range tests {
				if _, read := known[folder]; !read {
					known[folder] = sourceOf(t, folder)
				}
				for _, name := range names {
					if !known[folder].has(name) {
						t.Errorf("%s: %s has no test %q", what, folder, name)
					}
				}
			}
		}
	}
}

// source is what is written in a folder.
type source struct{ functions, texts []string }

func (s source) has(name string) bool {
	function, sentence, one := strings.Cut(name, "/")
	return slices.Contains(s.functions, function) && (!one || slices.Contains(s.texts, sentence))
}

func sourceOf(t *testing.T, folder string) (s source) {
	t.Helper()
	root := os.DirFS("../..")
	files, err := fs.Glob(root, path.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				s.functions = append(s.functions, n.Name.Name)
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					s.texts = append(s.texts, text)
				}
			}
			return true
		})
	}
	return s
}
