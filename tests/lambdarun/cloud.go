package lambdarun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"handoff/tests/awstest"
	"handoff/tests/lambdarun/cfn"
)

// Plan says how a Cloud is made.
type Plan struct {
	Engine     awstest.Engine
	Template   *cfn.Template
	Bootstraps map[string]string // by folder; see BuildAll
	// Env is set for every function beside what the template says.
	Env map[string]string
	// Concurrency of functions by their folders; 2 for others.
	Concurrency map[string]int
	// Change, if set, may change the properties of a resource before it is made.
	Change func(resource string, properties map[string]any)
	// Stream, if set, may change how a function gets the log's stream.
	Stream func(*Stream)
	Log    io.Writer // takes what functions write; it must be safe for concurrent use
}

// Cloud is a whole deployment of template.yaml: tables, bucket, queues, bus and
// rules are on the engine, functions are processes here. What AWS does between
// them is driven by this package: API Gateway (Front), event source mappings of
// streams and queues (Stream, Queue), schedules (Tick) and IAM (each call of a
// function is held against the policies of its role; conditions are not looked
// at). Matching events to rules and filling the rules' queues is the engine's.
// Left out are alarms, logs, domains and the canary.
type Cloud struct {
	URL       string               // of the front
	Functions map[string]*Function // by folder
	Proxy     *Proxy               // between functions and the engine

	maker     *maker
	folders   map[string]string // of functions, by their names in the template
	roles     map[string]Policy
	sources   map[string]source
	schedules map[string]schedule
	servers   []*http.Server
	stop      context.CancelFunc
	running   sync.WaitGroup
	mu        sync.Mutex
	err       error
}

// schedule has a function invoked at its times.
type schedule struct {
	function *Function
	input    []byte
}

// source is what has functions invoked.
type source interface {
	Run(ctx context.Context) error
	Empty(ctx context.Context) (bool, error)
	Taken() int
}

const function = "AWS::Serverless::Function"

// BuildAll compiles every function of a template into a folder and returns their
// bootstraps by the functions' folders.
func BuildAll(ctx context.Context, dir string, t *cfn.Template) (map[string]string, error) {
	all, err := Functions(t)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for folder := range all {
		if out[folder], err = Build(ctx, dir, "handoff/functions/"+folder+"/lambda"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Functions returns the folders of a template's functions, and what the role of
// each allows it.
func Functions(t *cfn.Template) (map[string]Policy, error) {
	names, err := t.Of(function)
	if err != nil {
		return nil, err
	}
	unknown := func(resource, _ string) (string, error) { return resource, nil }
	out := map[string]Policy{}
	for _, name := range names {
		p, err := t.Properties(name, unknown)
		if err != nil {
			return nil, err
		}
		role, err := t.Properties(fmt.Sprint(p["Role"]), unknown)
		if err != nil {
			return nil, err
		}
		out[folder(p)] = ReadPolicy(role)
	}
	return out, nil
}

// folder is that of a function, without the one of its main.
func folder(properties map[string]any) string {
	return path.Base(path.Dir(path.Clean(fmt.Sprint(properties["CodeUri"]))))
}

// Launch makes a Cloud and has it work until Close is called.
func Launch(ctx context.Context, plan Plan) (*Cloud, error) {
	c := &Cloud{
		Functions: map[string]*Function{}, maker: newMaker(ctx, plan.Engine, plan.Template),
		folders: map[string]string{}, roles: map[string]Policy{}, sources: map[string]source{}, schedules: map[string]schedule{},
	}
	c.maker.change = plan.Change
	ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := c.launch(ctx, plan); err != nil {
		return nil, fmt.Errorf("launch: %w", errors.Join(err, c.Close()))
	}
	return c, nil
}

func (c *Cloud) launch(ctx context.Context, plan Plan) (err error) {
	if c.Proxy, err = NewProxy(plan.Engine.Endpoint); err != nil {
		return err
	}
	c.Proxy.Allowed = func(call Call) string { return c.roles[call.Function].Forbids(call) }
	c.Proxy.Kill = c.Kill
	aws, err := c.serve(c.Proxy)
	if err != nil {
		return err
	}
	front := &later{}
	if c.URL, err = c.serve(front); err != nil {
		return err
	}
	c.maker.front = c.URL
	if err := c.each("AWS::Events::Rule", func(name string, _ map[string]any) error { return c.maker.rule(name) }); err != nil {
		return err
	}
	env := map[string]string{"AWS_ENDPOINT_URL": aws}
	maps.Copy(env, plan.Env)
	plan.Env = env
	if err := c.each(function, func(name string, p map[string]any) error { return c.function(name, p, plan) }); err != nil {
		return err
	}
	if err := c.each("AWS::Scheduler::Schedule", c.schedule); err != nil {
		return err
	}
	routes, err := c.routes()
	if err != nil {
		return err
	}
	front.set(NewFront(routes))
	for name, s := range c.sources {
		c.running.Go(func() { c.fail(name, s.Run(ctx)) })
	}
	return nil
}

// each calls do for every resource of a type.
func (c *Cloud) each(typ string, do func(name string, properties map[string]any) error) error {
	names, err := c.maker.template.Of(typ)
	if err != nil {
		return err
	}
	for _, name := range names {
		p, err := c.maker.properties(name)
		if err == nil {
			err = do(name, p)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// later is a handler that is known after its address.
type later struct {
	mu sync.Mutex
	h  http.Handler
}

func (l *later) set(h http.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.h = h
}

// ServeHTTP implements http.Handler.
func (l *later) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	h := l.h
	l.mu.Unlock()
	h.ServeHTTP(w, r)
}

// serve serves on a port of loopback and returns the URL.
func (c *Cloud) serve(h http.Handler) (string, error) {
	l, err := new(net.ListenConfig).Listen(c.maker.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	c.servers = append(c.servers, s)
	go func() { _ = s.Serve(l) }() // until Close
	return "http://" + l.Addr().String(), nil
}

// Close ends all functions and sources and returns what went wrong with those.
func (c *Cloud) Close() error {
	c.stop()
	c.running.Wait()
	for _, f := range c.Functions {
		f.Stop()
	}
	for _, s := range c.servers {
		_ = s.Close() // nobody asks any more
	}
	c.maker.remove()
	return c.Err()
}

// Resource returns what Ref says of a resource that was made: the name of a table
// or bus, the URL of a queue. It is empty where there is none.
func (c *Cloud) Resource(name string) string { return c.maker.made[name][""] }

// Err returns what went wrong with sources so far.
func (c *Cloud) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Cloud) fail(name string, err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = errors.Join(c.err, fmt.Errorf("source %s: %w", name, err))
}

// Kill kills the instance of that name, if there is one.
func (c *Cloud) Kill(instance string) {
	for _, f := range c.Functions {
		for _, i := range f.Instances() {
			if i.Name == instance {
				i.Kill()
			}
		}
	}
}

// Tick does what a schedule of the template does when its time comes.
func (c *Cloud) Tick(ctx context.Context, schedule string) error {
	s, ok := c.schedules[schedule]
	if !ok {
		return fmt.Errorf("tick: there is no schedule %s", schedule)
	}
	_, err := s.function.Invoke(ctx, s.input)
	return err
}

// Settled waits until no function has anything to do any more. What is delayed
// in a queue is left to its time.
func (c *Cloud) Settled(ctx context.Context) error {
	const twice = 2 // what was done in the first look is seen in the second
	for quiet, taken := 0, -1; quiet < twice; {
		empty, now, err := c.look(ctx)
		if err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		if empty && now == taken {
			quiet++
		} else {
			quiet, taken = 0, now
		}
	}
	return nil
}

// look reports whether all sources are empty, and how much they ever took. That
// is counted last: what was taken meanwhile makes a difference to the next look.
func (c *Cloud) look(ctx context.Context) (empty bool, taken int, err error) {
	var looks sync.WaitGroup
	var mu sync.Mutex
	empty, err = true, c.Err()
	for name, s := range c.sources {
		looks.Go(func() {
			is, failed := s.Empty(ctx)
			mu.Lock()
			defer mu.Unlock()
			empty = empty && is
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", name, failed))
			}
		})
	}
	looks.Wait()
	for _, s := range c.sources {
		taken += s.Taken()
	}
	return empty, taken, err
}

// Dead returns how much is in the queues of what failed for good, by their names
// in the template, those left out that are empty.
func (c *Cloud) Dead(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for name, a := range c.maker.made {
		if c.maker.template.Type(name) != "AWS::SQS::Queue" || name != "Poison" && !strings.HasSuffix(name, "Failed") {
			continue
		}
		n, err := depth(ctx, c.maker.queues, a[""])
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out[name] = n
		}
	}
	return out, nil
}
