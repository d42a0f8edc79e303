package cloud

import (
	"strings"

	"handoff/domain/fault"
	"handoff/infra/settings"
)

// The variables that name what the stack made.
const (
	LogTable         = "HANDOFF_LOG_TABLE"
	IndexTable       = "HANDOFF_INDEX_TABLE"
	KeysTable        = "HANDOFF_KEYS_TABLE"
	WorkTable        = "HANDOFF_WORK_TABLE"
	BlobsBucket      = "HANDOFF_BLOBS_BUCKET"
	Bus              = "HANDOFF_BUS"
	DeliveriesQueue  = "HANDOFF_DELIVERIES_QUEUE"
	TimersQueue      = "HANDOFF_TIMERS_QUEUE"
	PoisonQueue      = "HANDOFF_POISON_QUEUE"
	RelayQueue       = "HANDOFF_RELAY_QUEUE"
	RelayTimersQueue = "HANDOFF_RELAY_TIMERS_QUEUE"
	SecretsPath      = "HANDOFF_SECRETS_PATH"
	KMSKey           = "HANDOFF_KMS_KEY"
	BusEvents        = "HANDOFF_BUS_EVENTS"
	Stack            = "HANDOFF_STACK"
)

// needed is the default of a variable that has none.
const needed = "none"

// resources are the variables above.
func resources() []settings.Setting {
	return []settings.Setting{
		{Name: LogTable, Default: needed, Doc: "DynamoDB table with the event log."},
		{Name: IndexTable, Default: needed, Doc: "DynamoDB table with the feed and the lists."},
		{Name: KeysTable, Default: needed, Doc: "DynamoDB table with wrapped keys, API keys and sealed secrets."},
		{Name: WorkTable, Default: needed, Doc: "DynamoDB table with deliveries that wait, and streams that are parked."},
		{Name: BlobsBucket, Default: needed, Doc: "S3 bucket with sealed parts over 8 KiB."},
		{Name: Bus, Default: needed, Doc: "Name of the EventBridge bus."},
		{Name: DeliveriesQueue, Default: needed, Doc: "URL of the FIFO queue of facts that lead to deliveries."},
		{Name: TimersQueue, Default: needed, Doc: "URL of the queue of wake-ups."},
		{Name: PoisonQueue, Default: needed, Doc: "URL of the queue that is told of what could not be published."},
		{Name: RelayQueue, Default: needed, Doc: "URL of the FIFO queue of facts of relayed conversations."},
		{Name: RelayTimersQueue, Default: needed, Doc: "URL of the queue that has relayed conversations looked at."},
		{Name: SecretsPath, Default: needed, Doc: "Prefix of the SSM parameters with the root secrets of tenants, such as /handoff/prod."},
		{Name: KMSKey, Default: needed, Doc: "KMS key under which SSM encrypts the root secrets of a new tenant."},
		{Name: BusEvents, Default: "thin", Doc: "Outgoing events on the bus: off, thin or full."},
		{Name: Stack, Default: "handoff", Doc: "Name of the stack, a dimension of its metrics."},
	}
}

// Table returns every variable that a Lambda function may read: those of the
// stack and the settings that mean the same as on one machine. A function
// needs only what its adapters use.
func Table() []settings.Setting {
	all := resources()
	for _, s := range settings.Table() {
		if s.Shared {
			s.Flag = ""
			all = append(all, s)
		}
	}
	return all
}

// Need returns the value of a variable of the stack, or its default. Where it
// has neither, Start reports it with all the others after the function is bound.
func (c *Cloud) Need(name string) string {
	if v := c.lookup(name); v != "" {
		return v
	}
	for _, r := range resources() {
		if r.Name != name {
			continue
		}
		if r.Default != needed {
			return r.Default
		}
		c.missing = append(c.missing, fault.Problem{Rule: name, Detail: name + " is not set: " + r.Doc})
		return ""
	}
	panic("cloud: " + name + " is not in the table of variables")
}

// PublicURL returns the address under which others reach the stack, for a
// function that can't do without.
func (c *Cloud) PublicURL() string {
	if c.Settings.PublicURL == "" {
		const name = "HANDOFF_PUBLIC_URL"
		c.missing = append(c.missing, fault.Problem{Rule: name, Detail: name + " is not set: links in what hubs are told begin with it."})
	}
	return c.Settings.PublicURL
}

// unset reports all variables that were needed and are not set, or nil.
func (c *Cloud) unset() error {
	if len(c.missing) == 0 {
		return nil
	}
	lines := make([]string, len(c.missing))
	for i, p := range c.missing {
		lines[i] = p.Detail
	}
	f := fault.New(fault.Invalid, "settings-invalid", strings.Join(lines, "\n"))
	f.Problems = c.missing
	return f
}
