package deploy_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
)

// adapt changes a translated template where the emulator would fail on what AWS
// takes, and prints each change.
func adapt(t *testing.T, template []byte) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(template, &doc); err != nil {
		t.Fatal(err)
	}
	numbers := map[string]float64{}
	parameters, _ := doc["Parameters"].(map[string]any)
	for name, p := range parameters {
		p, _ := p.(map[string]any)
		if p["Type"] == "Number" {
			switch v := p["Default"].(type) {
			case float64:
				numbers[name] = v
			case string:
				numbers[name], _ = strconv.ParseFloat(v, 64)
			}
		}
	}
	a := adaption{numbers: numbers}
	doc["Resources"] = a.value(doc["Resources"])
	t.Logf("adapted for the emulator: %d numbers given by parameters, which it takes for text and compares with numbers", a.written)
	t.Logf("adapted for the emulator: %d roles may read all parameters of Parameter Store, because it holds ssm:GetParameters against no resource", a.opened)
	t.Logf("adapted for the emulator: %d rights to sqs:SendMessage, which on AWS is that to send batches too", a.batches)
	t.Logf("adapted for the emulator: %d denials of requests without TLS are left out, because it has none", a.plain)
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type adaption struct {
	numbers         map[string]float64
	written, opened int
	plain, batches  int
}

func (a *adaption) value(v any) any {
	switch v := v.(type) {
	case []any:
		v = slices.DeleteFunc(v, func(one any) bool {
			statement, _ := one.(map[string]any)
			tls := statement["Sid"] == "TLSOnly"
			if tls {
				a.plain++
			}
			return tls
		})
		for i := range v {
			v[i] = a.value(v[i])
		}
		return v
	case map[string]any:
		if name, ok := v["Ref"].(string); ok {
			if n, ok := a.numbers[name]; ok {
				a.written++
				return n
			}
		}
		if actions, ok := v["Action"].([]any); ok && slices.Contains(actions, any("ssm:GetParameters")) {
			a.opened++
			v["Resource"] = "*"
		} else if ok && slices.Contains(actions, any("sqs:SendMessage")) {
			a.batches++
			v["Action"] = append(actions, "sqs:SendMessageBatch")
		}
		for k := range v {
			v[k] = a.value(v[k])
		}
	}
	return v
}
