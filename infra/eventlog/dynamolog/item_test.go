package dynamolog_test

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/tests/eventlogtest"
)

func mustItem(t testing.TB, s dynamolog.Stored) dynamolog.Item {
	t.Helper()
	i, err := dynamolog.NewItem(s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// asStored returns what is read of a commit: large sealed bytes by their sum.
func asStored(c eventlog.Commit) eventlog.Commit {
	for i := range c.Facts {
		if f := &c.Facts[i]; len(f.Sealed) > eventlog.InlineLimit {
			f.Sealed = nil
		}
	}
	return c
}

func TestAnItemIsItsCommit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Just(""), rapid.SampledFrom([]string{"default", "store-bot"}))
		raw := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")) })
		c := eventlog.Commit{
			Stream: uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "stream")), Tenant: text.Draw(t, "tenant"),
			Connection: text.Draw(t, "connection"), Kind: events.Kind(text.Draw(t, "kind")), ID: "x" + text.Draw(t, "id"),
			State: []byte(raw.Draw(t, "state")), StateVersion: rapid.Int().Draw(t, "state version"),
		}
		if rapid.Bool().Draw(t, "later") {
			c.After = eventlog.Head{Version: rapid.IntRange(1, 1<<40).Draw(t, "after"), Hash: events.Hash{1, 2}}
		}
		for range rapid.IntRange(1, 4).Draw(t, "facts") {
			key := events.KeyID(rapid.OneOf(raw, rapid.Just(string(events.NewKeyID(c.Stream, 3)))).Draw(t, "key"))
			c.Facts = append(c.Facts, events.Record{Header: events.Header{
				Type: raw.Draw(t, "type"), Schema: rapid.Int().Draw(t, "schema"), Time: rapid.Int64().Draw(t, "time"), Causation: raw.Draw(t, "causation"),
				Correlation: raw.Draw(t, "correlation"), Actor: raw.Draw(t, "actor"), Key: key, Trace: raw.Draw(t, "trace"),
			}, Clear: []byte(raw.Draw(t, "clear")), Sealed: sealed(t)})
		}
		eventlog.ChainCommit(&c)
		want := dynamolog.Stored{Commit: c, Imported: rapid.Bool().Draw(t, "imported")}
		item, err := dynamolog.NewItem(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dynamolog.ParseItem(item)
		if want.Commit = asStored(c); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("ParseItem = %+v, %v, want %+v", got, err, want)
		}
	})
}

func sealed(t *rapid.T) []byte {
	n := rapid.SampledFrom([]int{0, 1, 100, eventlog.InlineLimit, eventlog.InlineLimit + 1}).Draw(t, "sealed")
	if n == 0 {
		return nil
	}
	return eventlogtest.Bytes(n, n)
}

// TestAChangedItemIsRefused: every change of what is hashed names its fact.
func TestAChangedItemIsRefused(t *testing.T) {
	t.Parallel()
	a := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Fact(1))
	b := eventlogtest.Commit(a.Stream, "b", a.Head(), eventlogtest.Facts(2, 3)...)
	first, third := b.Facts[0].ID(), b.Facts[2].ID()
	good := mustItem(t, dynamolog.Stored{Commit: b})
	flip := func(name string, at int) func(dynamolog.Item) {
		return func(i dynamolog.Item) {
			old, _ := i[name].(*types.AttributeValueMemberB)
			changed := append([]byte(nil), old.Value...)
			changed[(len(changed)+at)%len(changed)] ^= 1
			i[name] = &types.AttributeValueMemberB{Value: changed}
		}
	}
	text := func(name string) func(dynamolog.Item) {
		return func(i dynamolog.Item) { i[name] = &types.AttributeValueMemberS{Value: "other"} }
	}
	for sentence, c := range map[string]struct {
		change func(dynamolog.Item)
		named  string
	}{
		"another stream":            {flip("s", 0), "@2"},
		"another version":           {func(i dynamolog.Item) { i["v"] = &types.AttributeValueMemberN{Value: "5"} }, "@5"},
		"another kind":              {text("k"), first},
		"another tenant":            {text("t"), first},
		"another connection":        {text("c"), first},
		"another commit":            {text("d"), first},
		"another hash before":       {flip("h", 0), first},
		"another last hash":         {flip("h", -1), third},
		"another first sealed part": {flip("x", 0), first},
		"another last sealed part":  {flip("x", -1), third},
		"facts that are cut off":    {flip("f", -1), first[:36]},
		"no facts":                  {func(i dynamolog.Item) { delete(i, "f") }, first[:36]},
		"no hashes":                 {func(i dynamolog.Item) { delete(i, "h") }, first},
		"no sealed parts":           {func(i dynamolog.Item) { delete(i, "x") }, first[:36]},
		"facts that go on":          {longer, first[:36]},
		"a sealed part too many": {func(i dynamolog.Item) {
			old, _ := i["x"].(*types.AttributeValueMemberB)
			i["x"] = &types.AttributeValueMemberB{Value: append(old.Value[:len(old.Value):len(old.Value)], 0)}
		}, first[:36]},
		"a version that is no number":  {func(i dynamolog.Item) { i["v"] = &types.AttributeValueMemberS{Value: "2"} }, "no commit"},
		"a version before the first":   {func(i dynamolog.Item) { i["v"] = &types.AttributeValueMemberN{Value: "0"} }, "no commit"},
		"a stream that is cut off":     {func(i dynamolog.Item) { i["s"] = &types.AttributeValueMemberB{Value: a.Stream[:8]} }, "no commit"},
		"nothing at all":               {func(i dynamolog.Item) { clear(i) }, "no commit"},
		"facts packed by a later year": {func(i dynamolog.Item) { i["f"] = &types.AttributeValueMemberB{Value: []byte{1, 1, 0, 0xfe, 0xff, 9}} }, "newer version"},
	} {
		item := maps.Clone(good)
		c.change(item)
		if _, err := dynamolog.ParseItem(item); err == nil || !strings.Contains(err.Error(), c.named) {
			t.Errorf("%s: ParseItem = %v, want an error that names %q", sentence, err, c.named)
		}
	}
}

// longer adds a byte to the packed facts.
func longer(i dynamolog.Item) {
	old, _ := i["f"].(*types.AttributeValueMemberB)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	_, _ = io.Copy(w, flate.NewReader(bytes.NewReader(old.Value)))
	_, _ = w.Write([]byte{0})
	_ = w.Close()
	i["f"] = &types.AttributeValueMemberB{Value: b.Bytes()}
}

func TestANameThatIsNoTextIsRefused(t *testing.T) {
	t.Parallel()
	c := eventlogtest.Commit(uuid.New(), "\xff", eventlog.Head{}, eventlogtest.Fact(1))
	if _, err := newLog(t, &table{page: 1}).Append(t.Context(), c); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Append = %v, want a fault of kind %s", err, fault.Invalid)
	}
}

var update = flag.Bool("update", false, "rewrite the golden file")

// golden is an item as it was stored once. It never changes: what is in a table
// must be read for ever.
const golden = "testdata/item.v1.json"

func goldenCommit() eventlog.Commit {
	large := eventlogtest.Fact(4)
	large.Sealed = eventlogtest.Bytes(4, eventlog.InlineLimit+1)
	large.Key = "0f0e0d0c-0b0a-4908-8706-050403020100.1"
	stream := uuid.MustParse("0f0e0d0c-0b0a-4908-8706-050403020100")
	return eventlogtest.Commit(stream, "golden", eventlog.Head{Version: 2, Hash: events.Hash{7}}, eventlogtest.Fact(3), large, events.Record{Clear: []byte("{}")})
}

func TestAnItemOfTheFirstFormatIsRead(t *testing.T) {
	t.Parallel()
	want := dynamolog.Stored{Commit: goldenCommit(), Imported: true}
	if *update {
		writeGolden(t, mustItem(t, want))
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var stored item
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatal(err)
	}
	got, err := dynamolog.ParseItem(stored.item())
	if want.Commit = asStored(want.Commit); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseItem = %+v, %v, want %+v", got, err, want)
	}
}

func writeGolden(t *testing.T, i dynamolog.Item) {
	t.Helper()
	data, err := json.MarshalIndent(wireItem(i), "", "  ")
	if err == nil {
		err = os.WriteFile(golden, append(data, '\n'), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// item returns what the client makes of an item on the wire.
func (i item) item() dynamolog.Item {
	all := make(dynamolog.Item, len(i))
	for name, v := range i {
		switch {
		case v.S != nil:
			all[name] = &types.AttributeValueMemberS{Value: *v.S}
		case v.N != nil:
			all[name] = &types.AttributeValueMemberN{Value: *v.N}
		case v.BOOL != nil:
			all[name] = &types.AttributeValueMemberBOOL{Value: *v.BOOL}
		default:
			all[name] = &types.AttributeValueMemberB{Value: v.B}
		}
	}
	return all
}

// wireItem undoes item.
func wireItem(i dynamolog.Item) item {
	all := make(item, len(i))
	for name, a := range i {
		switch a := a.(type) {
		case *types.AttributeValueMemberS:
			all[name] = value{S: &a.Value}
		case *types.AttributeValueMemberN:
			all[name] = value{N: &a.Value}
		case *types.AttributeValueMemberBOOL:
			all[name] = value{BOOL: &a.Value}
		case *types.AttributeValueMemberB:
			all[name] = value{B: a.Value}
		}
	}
	return all
}

// FuzzParseItem: no item makes a reader panic, or is read as something that it
// would not be stored as.
func FuzzParseItem(f *testing.F) {
	for _, c := range []eventlog.Commit{goldenCommit(), eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Fact(1))} {
		i, err := dynamolog.NewItem(dynamolog.Stored{Commit: c})
		if err != nil {
			f.Fatal(err)
		}
		w := wireItem(i)
		f.Add(w["s"].B, *w["v"].N, *w["t"].S, w["h"].B, w["f"].B, w["x"].B)
	}
	f.Fuzz(func(t *testing.T, stream []byte, version, tenant string, hashes, facts, sealed []byte) {
		i := item{"s": {B: stream}, "v": {N: &version}, "t": {S: &tenant}, "h": {B: hashes}, "f": {B: facts}, "x": {B: sealed}}
		s, err := dynamolog.ParseItem(i.item())
		if err != nil {
			return
		}
		if len(s.Facts) == 0 || s.Head().Version != s.After.Version+len(s.Facts) {
			t.Errorf("read %+v", s)
		}
	})
}

func TestSizesAreCountedAsDynamoDBDoes(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		item        dynamolog.Item
		size, units int
	}{
		"nothing":                 {dynamolog.Item{}, 0, 0},
		"text in bytes":           {dynamolog.Item{"ab": &types.AttributeValueMemberS{Value: "é1"}}, 5, 1},
		"raw bytes":               {dynamolog.Item{"a": &types.AttributeValueMemberB{Value: make([]byte, 1023)}}, 1024, 1},
		"one byte more":           {dynamolog.Item{"a": &types.AttributeValueMemberB{Value: make([]byte, 1024)}}, 1025, 2},
		"a number of one digit":   {dynamolog.Item{"a": &types.AttributeValueMemberN{Value: "7"}}, 3, 1},
		"a number of five digits": {dynamolog.Item{"a": &types.AttributeValueMemberN{Value: "12345"}}, 5, 1},
		"zeros at a number's end": {dynamolog.Item{"a": &types.AttributeValueMemberN{Value: "1200"}}, 3, 1},
		"a boolean":               {dynamolog.Item{"a": &types.AttributeValueMemberBOOL{}}, 2, 1},
	} {
		if size, units := dynamolog.Size(c.item), dynamolog.WriteUnits(c.item); size != c.size || units != c.units {
			t.Errorf("%s: %d bytes, %d units, want %d and %d", sentence, size, units, c.size, c.units)
		}
	}
}
