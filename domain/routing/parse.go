package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"handoff/domain/fault"
)

// The limits of a rules file. A breach is a finding; nothing is cut.
const (
	MaxSource     = 200 << 10 // bytes
	MaxRules      = 500
	MaxQueues     = 500
	MaxVariables  = 500
	MaxConditions = 50    // in each list
	MaxOperands   = 200   // in each condition
	MaxExpression = 4_000 // characters of a `when`
	MaxTests      = 200
	maxName       = 200
	maxOperand    = 1_000
	maxPattern    = 500
	maxSkills     = 20
	maxSkill      = 64
)

// DefaultPriority is that of a rule which names none, and of the fallback.
const DefaultPriority = 50

var (
	queueID    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)
)

// reserved are the words that can't name a variable in `when`: those of CEL,
// and the first parts of the fields' names.
//
//nolint:gochecknoglobals // a table that never changes
var reserved = []string{
	"as", "bot", "bool", "break", "bytes", "channel", "const", "continue", "customer", "double", "duration", "dyn", "else", "false",
	"for", "function", "if", "import", "in", "int", "language", "last_phrase", "let", "list", "loop", "map", "namespace", "null",
	"null_type", "package", "phrases", "reason", "return", "string", "time", "timestamp", "topic", "topics", "true", "type", "uint",
	"var", "void", "while", "wishes",
}

// parser turns the nodes of a file into a rule set and findings.
type parser struct {
	findings
	set         *RuleSet
	source      []byte
	environment *cel.Env // made for the first `when`
	holidays    []date
	hasZone     bool
	timeUse     *fault.Problem // where the time is first looked at
	names       map[string]int
}

// Parse reads a rules file that is to be adopted, checks it and runs its tests.
// The error is a *fault.Error of code "rules-invalid" whose Problems are all
// the findings, in the order of the file.
func Parse(source []byte) (*RuleSet, error) {
	p := newParser(source)
	if len(p.list) == 0 {
		p.runTests()
	}
	return p.result()
}

// Load is Parse for a source that was adopted before: it leaves out the tests.
// They can begin to fail without the file's doing, when time zone data or the
// evaluator are newer, and that must not stop escalations from being routed or
// old decisions from being explained.
func Load(source []byte) (*RuleSet, error) {
	return newParser(source).result()
}

func newParser(source []byte) *parser {
	digest := sha256.Sum256(source)
	p := &parser{source: source, names: map[string]int{}, set: &RuleSet{
		source: slices.Clone(source), hash: "sha256:" + hex.EncodeToString(digest[:]),
		subjects: map[string]subject{}, zoneName: "UTC",
	}}
	if root := p.read(); root != nil && root.Kind != yaml.MappingNode {
		p.add(root, "a rules file must be a mapping of keys to values, not %s", kindOf(root))
	} else if root != nil {
		p.file(root)
	}
	return p
}

func (p *parser) result() (*RuleSet, error) {
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.set, nil
}

func (p *parser) read() *yaml.Node {
	switch {
	case len(p.source) > MaxSource:
		p.addAt(1, 1, "the file has %d bytes, at most %d are allowed", len(p.source), MaxSource)
	case !utf8.Valid(p.source):
		p.addAt(1, 1, "the file is not UTF-8")
	default:
		return p.document(p.source)
	}
	return nil
}

// file reads the sections in the order in which they need one another.
func (p *parser) file(root *yaml.Node) {
	top := p.mapping(root, "the file", "version", "name", "time_zone", "fallback", "variables", "queues", "holidays", "rules", "tests", "check")
	p.header(root, top)
	if n := top["variables"]; n != nil {
		p.declare(n)
	}
	p.queues(root, top)
	if n := top["check"]; n != nil && len(p.set.queues) > 0 {
		p.check(n)
	}
	if n := top["holidays"]; n != nil {
		for _, d := range p.items(n, "holidays", MaxOperands) {
			p.date(d, &p.holidays)
		}
	}
	if n := top["rules"]; n != nil {
		p.rules(n)
	}
	if p.timeUse != nil && !p.hasZone {
		p.list = append(p.list, *p.timeUse)
	}
	if n := top["tests"]; n != nil {
		p.readTests(n)
	}
}

func (p *parser) header(root *yaml.Node, top map[string]*yaml.Node) {
	if n := top["version"]; n == nil {
		p.add(root, "version is missing: write version: 1")
	} else if n.Value != "1" || n.Tag != "!!int" {
		p.add(n, "version must be 1, not %s", kindOf(n))
	}
	if n := top["name"]; n != nil {
		p.set.name, _ = p.text(n, "name", maxName)
	}
	if n := top["time_zone"]; n != nil {
		p.hasZone = true
		p.set.zoneName, _ = p.text(n, "time_zone", maxName)
	}
	location, err := loadZone(p.set.zoneName)
	if err != nil && p.set.zoneName != "" {
		p.add(top["time_zone"], "%v: write an IANA name, such as Europe/Amsterdam", err)
	}
	p.set.location = location
	for f, row := range fieldTable {
		if row.nature != natureTime {
			p.set.subjects[row.name] = subject{field: field(f)}
		}
	}
}

// declare reads the variables that the file declares.
func (p *parser) declare(n *yaml.Node) {
	for _, e := range p.pairs(n, "variables") {
		name := e.key.Value
		switch {
		case len(p.set.variables) == MaxVariables:
			p.add(e.key, "more than %d variables", MaxVariables)
			return
		case !identifier.MatchString(name):
			p.add(e.key, "%q can't be declared: a name for `when` is 1 to 100 letters, digits and _", name)
			continue
		case slices.Contains(reserved, name):
			p.add(e.key, "%q can't be declared: the name is taken", name)
			continue
		}
		v := variable{name: name, declared: true}
		p.declaration(e.value, &v)
		p.set.subjects[name] = subject{fieldVariable, p.intern(v)}
	}
}

func (p *parser) declaration(n *yaml.Node, v *variable) {
	entries := p.mapping(n, "variable "+v.name, "type", "default")
	kind := entries["type"]
	if kind == nil {
		p.add(n, "variable %s needs a type", v.name)
		return
	}
	v.kind = kind.Value
	if !slices.Contains(variableKinds, v.kind) {
		p.add(kind, "%q is no type: use string, int, double, bool, list, map or any", v.kind)
		return
	}
	if d := entries["default"]; d != nil {
		raw, err := jsonOf(d)
		if err != nil || celValue(raw, v.kind) == nil {
			p.add(d, "the default of %s is not of type %s", v.name, v.kind)
			return
		}
		v.fallback = raw
	}
}

// intern returns the index of a variable, which is new or known.
func (p *parser) intern(v variable) int {
	i, ok := p.names[v.name]
	if !ok {
		i = len(p.set.variables)
		p.names[v.name] = i
		p.set.variables = append(p.set.variables, v)
	}
	return i
}

func (p *parser) queues(root *yaml.Node, top map[string]*yaml.Node) {
	if n := top["queues"]; n == nil {
		p.add(root, "queues is missing: list every queue that a rule may choose")
	} else {
		for _, q := range p.items(n, "queues", MaxQueues) {
			p.queue(q)
		}
	}
	n := top["fallback"]
	if n == nil {
		p.add(root, "fallback is missing: name the queue for what no rule matches")
		return
	}
	p.set.fallback = p.queueRef(n, "fallback")
}

func (p *parser) queue(n *yaml.Node) {
	entries := p.mapping(n, "a queue", "id", "name", "hub_queue")
	id := entries["id"]
	if id == nil {
		p.add(n, "a queue needs an id")
		return
	}
	q := Queue{ID: id.Value, Name: id.Value}
	if id.Kind != yaml.ScalarNode || !queueID.MatchString(q.ID) {
		p.add(id, "%s is no queue id: use up to 100 letters, digits, dots, - and _", kindOf(id))
		return
	}
	if _, known := p.set.Queue(q.ID); known {
		p.add(id, "queue %q is declared twice", q.ID)
		return
	}
	if e := entries["name"]; e != nil {
		q.Name, _ = p.text(e, "the queue's name", maxName)
	}
	if e := entries["hub_queue"]; e != nil {
		q.HubQueue, _ = p.text(e, "hub_queue", maxName)
	}
	p.set.queues = append(p.set.queues, q)
}

// queueRef returns the index of the declared queue that a node names.
func (p *parser) queueRef(n *yaml.Node, what string) int {
	id, ok := p.text(n, what, maxName)
	if !ok {
		return 0
	}
	ids := make([]string, len(p.set.queues))
	for i, q := range p.set.queues {
		if ids[i] = q.ID; q.ID == id {
			return i
		}
	}
	p.add(n, "queue %s is not declared under queues%s", strconv.Quote(id), suggest(id, ids))
	return 0
}
