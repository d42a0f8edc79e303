package lambdarun

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

const defaultConcurrency = 2

// function makes a function with its role and its sources.
func (c *Cloud) function(name string, properties map[string]any, plan Plan) error {
	folder := folder(properties)
	bootstrap := plan.Bootstraps[folder]
	if bootstrap == "" {
		return fmt.Errorf("%s is not built", folder)
	}
	env := map[string]string{}
	variables, _ := dig(properties, "Environment", "Variables").(map[string]any)
	for k, v := range variables {
		env[k] = fmt.Sprint(v)
	}
	maps.Copy(env, plan.Env)
	seconds, _ := properties["Timeout"].(int)
	c.folders[name] = folder
	c.Functions[folder] = New(Config{
		Name: folder, Bootstrap: bootstrap, Env: env, Timeout: time.Duration(seconds) * time.Second,
		Concurrency: cmp.Or(plan.Concurrency[folder], defaultConcurrency), Log: plan.Log,
	})
	attached, _, _ := strings.Cut(fmt.Sprint(properties["Role"]), ".")
	r, err := c.maker.properties(attached)
	if err != nil {
		return err
	}
	c.roles[folder] = ReadPolicy(r)
	events, _ := properties["Events"].(map[string]any)
	for event, e := range events {
		if err := c.source(name+event, c.Functions[folder], e, plan); err != nil {
			return err
		}
	}
	return nil
}

// source makes what an event of a function's is, in SAM's words.
func (c *Cloud) source(name string, f *Function, event any, plan Plan) error {
	batch, _ := dig(event, "Properties", "BatchSize").(int)
	switch dig(event, "Type") {
	case "DynamoDB":
		s := &Stream{
			Function: f, Client: c.maker.streams, ARN: fmt.Sprint(dig(event, "Properties", "Stream")), Batch: batch,
			Bisect: dig(event, "Properties", "BisectBatchOnFunctionError") == true,
		}
		if plan.Stream != nil {
			plan.Stream(s)
		}
		c.sources[name] = s
	case "SQS":
		arn := fmt.Sprint(dig(event, "Properties", "Queue"))
		for _, a := range c.maker.made {
			if a["Arn"] == arn {
				c.sources[name] = &Queue{
					Function: f, Client: c.maker.queues, URL: a[""], ARN: arn, Batch: batch, Workers: f.cfg.Concurrency,
					Own: c.roles[f.cfg.Name].allows("sqs:ChangeMessageVisibility", arn),
				}
			}
		}
	default:
		return fmt.Errorf("event %s has a type that is not known here", name)
	}
	return nil
}

// schedule notes what a schedule invokes.
func (c *Cloud) schedule(name string, properties map[string]any) error {
	f := c.Functions[c.folders[fmt.Sprint(dig(properties, "Target", "Arn"))]]
	if f == nil {
		return errors.New("its target is no function")
	}
	c.schedules[name] = schedule{function: f, input: fmt.Append(nil, dig(properties, "Target", "Input"))}
	return nil
}

// routes returns the functions that answer HTTP, by the routes' keys.
func (c *Cloud) routes() (map[string]*Function, error) {
	out := map[string]*Function{}
	err := c.each("AWS::ApiGatewayV2::Route", func(_ string, p map[string]any) error {
		integration := strings.TrimPrefix(fmt.Sprint(p["Target"]), "integrations/")
		i, err := c.maker.properties(integration)
		if err != nil {
			return err
		}
		f := c.Functions[c.folders[fmt.Sprint(i["IntegrationUri"])]]
		if f == nil {
			return fmt.Errorf("%s has no function", integration)
		}
		out[fmt.Sprint(p["RouteKey"])] = f
		return nil
	})
	return out, err
}
