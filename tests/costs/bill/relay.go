package bill

// Relay returns what a month with so many relayed conversations costs until the
// bot hands over or the customer leaves; the escalation comes to that.
func (in Inputs) Relay(conversations float64) []Line {
	m := month{Inputs: in, n: conversations, commits: in.relayCommits()}
	m.relayTables()
	m.relayQueues()
	m.relayFunction()
	return m.lines
}

// relayCommits is how many commits a relayed conversation has: four for its
// beginning with the bot's greeting, four for each turn (taken from one side and
// passed on to the other, twice), four for its end, and one for each look.
func (in Inputs) relayCommits() float64 {
	return 4 + 4*in.Assume("relay_turns") + 4 + in.Assume("relay_looks")
}

// told is of how many of those relay is told: messages taken, what the hub says
// of the escalation, the end.
func (in Inputs) toldOfRelay() float64 { return 2 + 2*in.Assume("relay_turns") + 3 }

// timed is how many of those say when to look again: all but the end's.
func (in Inputs) timed() float64 { return in.relayCommits() - 4 }

func (m *month) relayTables() {
	const db = "DynamoDB"
	m.each(Relayed, db, "messages, passed on", "dynamodb_write", m.commits*m.Assume("relay_units"))
	m.each(Relayed, db, "key and references", "dynamodb_write", m.Assume("key_units")+1)
	m.each(Relayed, db, "lists and feed", "dynamodb_write", m.commits*m.indexUnits())
	turns := m.Assume("relay_turns") + 1
	m.each(Relayed, db, "reads", "dynamodb_read", turns*m.Assume("turn_reads")+m.timed()+2*m.toldOfRelay())
}

func (m *month) relayQueues() {
	sent := 1 / min(10, m.batch(m.Assume("poll_hz"), 100)) // of a request
	facts := m.toldOfRelay() + m.Assume("relay_looks")
	m.each(Relayed, "SQS", "facts and looks", "sqs_fifo", facts*(sent+2))
	m.each(Relayed, "SQS", "timers", "sqs_standard", m.timed()*(sent+2/m.received()))
	readers := 1/m.batch(m.Assume("poll_hz"), 100) + 1/m.batch(1, 1000)
	m.invoke(Relayed, "publisher and indexer", m.commits*readers, m.Assume("function_mb"), m.Assume("batch_ms"))
}

func (m *month) relayFunction() {
	turns, mb := m.Assume("relay_turns"), m.Assume("function_mb")
	heard := turns + 2 // the opening and the end too
	m.each(Relayed, "API Gateway", "what the hub says", "api_request", heard)
	m.invoke(Relayed, "relay, taking it", heard, mb, m.Assume("relay_ms"))
	m.invoke(Relayed, "relay, waiting for the bot", turns+1, mb, m.Assume("bot_ms"))
	m.each(Relayed, "Lambda", "relay, hearing it out", "lambda_time", (turns+1)*mb/1024*m.Assume("quiet_ms")/1000)
	m.invoke(Relayed, "relay, what leads to nothing", m.toldOfRelay()-turns-1, mb, m.Assume("relay_ms"))
	m.invoke(Relayed, "relay, looks", m.Assume("relay_looks"), mb, m.Assume("look_ms"))
	m.invoke(Relayed, "relay, timers", m.timed()/m.received(), mb, m.Assume("relay_ms"))
	gb := (heard*m.Assume("access_log_bytes") + heard*m.Assume("log_bytes")) / 1e9
	m.each(Relayed, "CloudWatch", "logs", "logs", gb)
}

// Watch returns what a month of looking at the hubs and bots of so many
// connections costs: hubwatch every minute, publishcheck every quarter of an hour.
func (in Inputs) Watch(connections float64) []Line {
	const minutes = Seconds / 60.0
	m := month{Inputs: in, n: connections}
	seconds := in.Assume("function_mb") / 1024 * in.Assume("watch_ms") / 1000
	m.each(Watched, "Lambda", "hubwatch, time", "lambda_time", minutes*seconds)
	m.each(Watched, "DynamoDB", "hubwatch, reads", "dynamodb_read", minutes*in.Assume("watch_reads"))
	m.each(Watched, "DynamoDB", "hubwatch, marks", "dynamodb_write", minutes)
	m.each(Watched, "Lambda", "publishcheck, time", "lambda_time", minutes/15*seconds)
	m.each(Watched, "DynamoDB", "publishcheck, reads", "dynamodb_read", minutes+minutes/15)
	return m.lines
}
