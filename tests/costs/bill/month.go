package bill

// Seconds of a month of 365/12 days.
const Seconds = 365 * 24 * 3600 / 12

// month collects the lines of a bill.
type month struct {
	Inputs

	n float64 // escalations, or relayed conversations
	// commits is how many each of them has: of an escalation its beginning, the
	// reports, and a delivery of each.
	commits float64
	lines   []Line
}

func (m *month) add(part Part, service, what, price string, quantity float64) {
	m.lines = append(m.lines, Line{part, service, what, price, quantity, m.cost(price, quantity)})
}

// each adds what is needed once for each escalation.
func (m *month) each(part Part, service, what, price string, quantity float64) {
	m.add(part, service, what, price, quantity*m.n)
}

// batch returns how many records a reader of the log's stream gets at once: what
// came in since it last looked, at least one.
func (m *month) batch(hz, most float64) float64 {
	return min(most, max(1, m.n*m.commits/Seconds/hz))
}

// received returns how many messages a function gets at once. Where the
// publisher sends many together some of them are received together.
func (m *month) received() float64 {
	return max(1, m.Assume("fifo_fill")*min(10, m.batch(m.Assume("poll_hz"), 100)))
}

// indexUnits returns the write units that the indexer takes for one commit: in
// each of its batches, a second long, a segment of the feed, a row for each
// connection, and one for each minute of deadlines.
func (m *month) indexUnits() float64 {
	records := m.batch(1, 1000)
	rows := func(count, bytes float64) float64 { return count * max(1, bytes/count/1024) }
	connections := min(m.Assume("busy_connections"), records)
	raised := records / m.commits
	return (rows(1, records*m.Assume("feed_bytes")) + rows(connections, records*m.Assume("history_bytes")) +
		min(1, raised)*rows(1, raised*m.Assume("history_bytes"))) / records
}

func (m *month) table() {
	const db = "DynamoDB"
	m.each(Table, db, "raised and routed", "dynamodb_write", m.Assume("raise_units"))
	m.each(Table, db, "key of the conversation", "dynamodb_write", m.Assume("key_units"))
	m.each(Table, db, "references of the customer", "dynamodb_write", m.Assume("reference_units"))
	m.each(Table, db, "attempted and delivered", "dynamodb_write", m.Assume("delivery_units"))
	m.each(Table, db, "lists and feed, 2 commits", "dynamodb_write", 2*m.indexUnits())
	m.each(Table, db, "reads", "dynamodb_read", m.Assume("raise_reads")+m.Assume("bus_reads")+m.Assume("delivery_reads"))
	gb := m.n * m.Assume("stored_kb") / 1e6 * m.Assume("months_kept")
	m.add(Stored, "Storage", "tables", "dynamodb_storage", gb)
	m.add(Stored, "Storage", "point-in-time recovery", "dynamodb_recovery", gb)
}

func (m *month) delivered() {
	m.each(Delivered, "API Gateway", "hand-off", "api_request", 1)
	m.invoke(Delivered, "webhook", 1, m.Assume("http_mb"), m.Assume("webhook_ms"))
	readers := 1/m.batch(m.Assume("poll_hz"), 100) + 1/m.batch(1, 1000)
	m.invoke(Delivered, "publisher and indexer", 2*readers, m.Assume("function_mb"), m.Assume("batch_ms"))
	m.each(Delivered, "EventBridge", "EscalationRaised", "bus_event", 1)
	m.each(Delivered, "SQS", "EscalationRaised to its function", "sqs_standard", 1+2/m.received())
	m.invoke(Delivered, "escalationraised", 1/m.received(), m.Assume("function_mb"), m.Assume("bus_ms")*m.received())
	m.each(Delivered, "SQS", "EscalationRouted to deliver", "sqs_fifo", 1/min(10, m.batch(m.Assume("poll_hz"), 100))+2/m.received())
	m.invoke(Delivered, "deliver", 1/m.received(), m.Assume("function_mb"), m.Assume("endpoint_ms")+m.Assume("deliver_ms")*m.received())
	m.each(Delivered, "EventBridge", "routed, for other systems", "bus_event", m.Assume("bus_events"))
	m.each(Delivered, "SQS", "routed, for other systems", "sqs_standard", m.Assume("bus_events"))
	m.each(Delivered, "Internet", "full event to the agent desk", "egress", m.Assume("event_bytes")/1e9)
	m.logs(Delivered, 1, 2)
}

func (m *month) reported() {
	n := m.Assume("reports")
	m.each(Reported, "DynamoDB", "accepted, completed", "dynamodb_write", n*m.Assume("report_units"))
	m.each(Reported, "DynamoDB", "lists and feed", "dynamodb_write", n*m.indexUnits())
	m.each(Reported, "DynamoDB", "reads", "dynamodb_read", n*(m.Assume("report_reads")+m.Assume("plan_reads")))
	m.each(Reported, "API Gateway", "reports", "api_request", n)
	m.invoke(Reported, "api", n, m.Assume("http_mb"), m.Assume("api_ms"))
	readers := 1/m.batch(m.Assume("poll_hz"), 100) + 1/m.batch(1, 1000)
	m.invoke(Reported, "publisher and indexer", n*readers, m.Assume("function_mb"), m.Assume("batch_ms"))
	m.each(Reported, "SQS", "facts to deliver", "sqs_fifo", n*(1/min(10, m.batch(m.Assume("poll_hz"), 100))+2/m.received()))
	m.invoke(Reported, "deliver", n/m.received(), m.Assume("function_mb"), m.Assume("plan_ms")*m.received())
	m.each(Reported, "EventBridge", "reports, for other systems", "bus_event", n*m.Assume("bus_events"))
	m.logs(Reported, n, 2*n)
}

// told is what it adds that the endpoint takes every event, as it does unless its
// plan says which: the hub's reports come back to the agent desk.
func (m *month) told() {
	n := m.Assume("reports")
	m.each(Told, "DynamoDB", "attempted and delivered, of reports", "dynamodb_write", n*m.Assume("delivery_units"))
	m.each(Told, "DynamoDB", "lists and feed, of those", "dynamodb_write", n*m.indexUnits())
	m.each(Told, "DynamoDB", "reads", "dynamodb_read", n*(m.Assume("delivery_reads")-m.Assume("plan_reads")))
	readers := 1/m.batch(m.Assume("poll_hz"), 100) + 1/m.batch(1, 1000)
	m.invoke(Told, "publisher and indexer", n*readers, m.Assume("function_mb"), m.Assume("batch_ms"))
	m.each(Told, "Lambda", "deliver, time", "lambda_time", n/m.received()*m.Assume("function_mb")/1024*m.Assume("endpoint_ms")/1000)
	m.each(Told, "Internet", "thin events to the agent desk", "egress", n*m.Assume("thin_bytes")/1e9)
}

// invoke adds invocations, with what they take, for each escalation.
func (m *month) invoke(part Part, function string, times, megabytes, milliseconds float64) {
	m.each(part, "Lambda", function+", invocations", "lambda_request", times)
	m.each(part, "Lambda", function+", time", "lambda_time", times*megabytes/1024*milliseconds/1000)
}

func (m *month) logs(part Part, requests, invocations float64) {
	gb := (requests*m.Assume("access_log_bytes") + invocations*m.Assume("log_bytes")) / 1e9
	m.each(part, "CloudWatch", "logs", "logs", gb)
	m.each(Stored, "Storage", "logs", "logs_storage", gb)
}

func (m *month) fixed() {
	const minutes = Seconds / 60.0
	ticks := 4*minutes + minutes/5
	m.add(Fixed, "EventBridge", "schedules", "schedule", ticks)
	m.add(Fixed, "Lambda", "schedules, invocations", "lambda_request", ticks)
	m.add(Fixed, "Lambda", "schedules, time", "lambda_time", ticks*m.Assume("function_mb")/1024*m.Assume("tick_ms")/1000)
	m.add(Fixed, "DynamoDB", "schedules, reads", "dynamodb_read", ticks*8)
	m.add(Fixed, "DynamoDB", "how far deadlines were swept", "dynamodb_write", minutes)
	polls := m.Assume("pollers") * 3 * minutes
	m.add(Fixed, "SQS", "looking into empty queues", "sqs_standard", m.Assume("polled_queues")*polls)
	m.add(Fixed, "SQS", "looking into the empty FIFO queues", "sqs_fifo", 2*polls)
	m.add(Fixed, "KMS", "key", "kms_key", 1)
	m.add(Fixed, "KMS", "secrets of tenants, at starts of instances", "kms_request", m.Assume("starts"))
	m.add(Fixed, "CloudWatch", "alarms", "alarm", m.Assume("alarms"))
	m.add(Fixed, "CloudWatch", "metrics", "metric", m.Assume("metrics"))
	m.add(Fixed, "CloudWatch", "dashboard", "dashboard", 1)
}
