// Package routing decides which queue an escalation goes to, by a file of
// rules, and can say why in words that a contact-centre lead understands.
//
// It is pure: no input or output, no clock (the time is a value of [Input]), no
// context. [Parse] checks a file and runs the tests inside it, and [Load] reads
// one that was adopted before; [RuleSet.Route] never fails; [RuleSet.Explain]
// tells of a stored [Decision]. The same input gives the same decision on every
// machine: time zones are embedded, and work is limited by counting it, not by
// time.
//
// The rest of this comment is the manual of the rules file.
//
// # A rules file
//
// A rules file is one YAML document in UTF-8, of at most 200 KiB, without
// anchors, aliases and tags. Unknown keys are refused, so that a typing error
// is no silent change of meaning.
//
//	version: 1
//	name: store-bot
//	time_zone: Europe/Amsterdam
//	fallback: general
//	variables:
//	  order_total: {type: double, default: 0}
//	queues:
//	  - {id: general, name: General help}
//	  - {id: seniors, name: Senior agents}
//	  - {id: refunds-nl, name: Refunds (Dutch), hub_queue: aaaaaaaa-0000-4000-8000-0000000000a1}
//	rules:
//	  - name: big refunds
//	    all: [{topic: {is: Refund}}, {variable: order_total, at_least: 500}]
//	    then: {queue: seniors, priority: 80, skills: [refunds]}
//	  - name: refunds in Dutch
//	    all: [{topic: {is: Refund}}, {language: {starts_with: nl}}, {time: {within: "mon-fri 08:00-18:00"}}]
//	    then: {queue: refunds-nl}
//	tests:
//	  - given: {topic: Refund, language: nl-NL, at: "2026-11-23T10:00"}
//	    expect: refunds-nl
//
// The keys, of which version, fallback and queues are needed:
//
//   - version: 1, the version of this language.
//   - name: what people call the file.
//   - time_zone: the IANA name of the zone in which rules see the time. It is
//     needed as soon as a rule looks at the time.
//   - fallback: the queue for what no rule matches. It can't be closed or full.
//   - variables: the bot's variables that have a type; see below.
//   - queues: each with an id (letters, digits, dots, - and _), and if wished a
//     name for people and hub_queue, its id at the agent hub.
//   - holidays: a list of dates, 2026-12-25 or 12-25 (every year).
//   - rules: at most 500, in order.
//   - tests: at most 200; see below.
//   - check: how `handoff check --end-to-end` goes: queue is the id of the queue
//     that takes it, which has no customers in it, and phrase what it says to the
//     bot to be handed over. Without them it is the queue test, and a phrase that
//     most bots know.
//
// # Rules
//
// Rules are tried in order and the first one that matches decides. A rule has a
// name that no other rule has, conditions, and then.
//
//   - all: a list of plain conditions, all of which must hold.
//   - any: a list of plain conditions, one of which must hold.
//   - when: a formula that must be true; see below.
//
// Where a rule has several of the three, all of them must hold. In then, queue
// is needed; priority is 0 to 100 (100 is served first) and 50 if it is left
// out; skills are up to 20 words for the agent hub. Wishes of the bot for a
// queue, skills or a priority do nothing of themselves: a rule may test them.
//
// # Plain conditions
//
// A plain condition is a field, an operator and an operand:
//
//	{topic: {is: Refund}}
//	{last_phrase: {has_word: [ambulance, "112", emergency]}}
//	{variable: order_total, at_least: 500}
//
// The fields:
//
//   - texts: topic, last_phrase, language, channel, reason, customer.id,
//     customer.name, customer.email, customer.phone, customer.page_url,
//     customer.time_zone, bot.id, bot.name, wishes.queue
//   - lists of texts: topics, phrases, wishes.skills. A condition holds for a
//     list if it holds for any entry (is_not: if it holds for all of them).
//   - true or false: customer.verified, which is the bot's claim
//   - a number: wishes.priority
//   - time: when the decision is made
//   - variable: NAME: one of the bot's variables, declared or not
//
// The operators for texts, of which those after is take one operand or a list
// of them (any may fit; for is_not, none may):
//
//   - is
//   - one_of (a list), is_not
//   - starts_with, ends_with, contains
//   - has_word: the word or words stand there with no letter or digit on
//     either side. In scripts that put no space between words use contains.
//   - matches: an RE2 regular expression, anywhere in the text, of at most 500
//     characters and 1,000 steps
//
// Text compares without case. It is compared as it is spelled in Unicode: é as
// one character, and as e with a combining accent, are different texts.
//
// For numbers: is, is_not, one_of, at_least, at_most, above, below. For true and
// false: is. For everything that a bot may leave out: present: true, absent: true.
//
// For the time:
//
//   - within, outside: hours such as "mon-fri 08:00-18:00, sat 10:00-14:00". The
//     end is outside. Hours without a day hold every day. 22:00-06:00 goes over
//     midnight and belongs to the day on which it begins; fri-mon wraps; a whole
//     day is 00:00-24:00. Clocks on the wall count, also when they are changed.
//   - on, not_on: a list of dates, or the word holidays for those of the file
//
// # Missing values
//
// A value that is missing fails every condition but absent: nobody matches by
// sending nothing, and a missing value is never an error. A text field that is
// empty is missing, and so is a variable that is null, "" or []; bots fill
// variables that were never set with those. If the variable is declared with a
// default, the default stands in (but the variable is still not present).
//
// A value of another type than the condition's fails too: the text "500" is
// not at least 500. For an undeclared variable the operand tells the type: is:
// 4711 tests a number, is: "4711" a text.
//
// # Declared variables
//
//	variables:
//	  order_total: {type: double, default: 0}
//	  basket: {type: list}
//
// The types are string, int, double, bool, list, map and any. Conditions on a
// declared variable are checked against its type when the file is adopted.
//
// # Formulas
//
// For what a list of conditions can't say there is when, an expression of the
// Common Expression Language (https://cel.dev) that is true or false:
//
//	when: reason == "not_understood" && size(phrases) >= 3
//
// It sees the fields under their names, the declared variables, and of the time
// time.date ("2026-11-23"), time.weekday ("mon"), time.hour and time.minute. A
// missing text is "", a missing list is empty. A missing variable without a
// default, or one of another type, and a missing wishes.priority make the
// formula fail, if its result depends on them. Besides CEL's standard functions
// there are lower(text) and has_word(text, word), which compare as plain
// conditions do; == and contains compare with case. There are no time functions
// that take a time zone from the host, objects can't be built, and a pattern for
// matches is written out.
//
// A formula that fails while it runs, or takes more than 100,000 units of CEL's
// cost, is a miss. So is every formula and every condition on a text once a
// decision has taken 200,000 units, or has compared 32 MiB of text. The
// escalation is never lost: the fallback queue takes it.
//
// # Tests
//
// Tests are run whenever the file is checked; a test that fails refuses it.
//
//	tests:
//	  - name: big spenders
//	    given: {topic: Refund, customer.verified: true, variables: {order_total: 900}, at: "2026-11-23T10:00"}
//	    expect: {queue: seniors, rule: big refunds}
//	  - {given: {topic: Weather, at: "2026-11-23T10:00"}, expect: {fallback: true}}
//
// What is given has the names of the fields; at is the local time. Expect is the
// id of a queue, or any of queue, rule and fallback: true.
//
// # How it is evaluated
//
// Plain conditions run as Go, formulas as CEL; both stand on the same
// functions for text and on the same rule for missing values, and a property
// test holds that a formula and its plain twin decide alike. Plain conditions
// through CEL were measured too: they gave the same answers at more than
// twenty times the time of a decision and four times that of loading.
//
// The search stops in each rule at the first condition that fails. Only
// afterwards are the rules that were tried measured by how many of their
// conditions failed; the nearest three are told in full (fewest failures first,
// then most successes), the others by one byte each (see [Outcome]).
package routing
