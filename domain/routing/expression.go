package routing

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// celVersion is the version of cel-go in go.mod; a test compares the two.
const celVersion = "v0.32.0"

// Evaluator identifies what evaluates the rules: the version of the rules
// language, and the library behind `when`.
const Evaluator = "rules v1; cel-go " + celVersion

// expression is a compiled `when`.
type expression struct {
	program cel.Program
	source  string
	reads   []string // the names it uses, sorted
}

// newEnvironment returns what `when` may use: the fields, the declared
// variables, and CEL's standard functions but for those that read a clock face
// in a time zone, because they would take the zone from the host.
func newEnvironment(variables []variable) (*cel.Env, error) {
	host := []string{
		overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDate,
		overloads.TimeGetDayOfMonth, overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes,
		overloads.TimeGetSeconds, overloads.TimeGetMilliseconds,
	}
	subset := env.NewLibrarySubset()
	for _, name := range host {
		subset.AddExcludedFunctions(&env.Function{Name: name})
	}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset)),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(48),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(2), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
		cel.Function("lower", cel.Overload("lower_string", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(s ref.Val) ref.Val { return types.String(fold(textOf(s))) }))),
		cel.Function("has_word", cel.Overload("has_word_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(text, word ref.Val) ref.Val {
				w := fold(textOf(word))
				return types.Bool(w != "" && hasWord(fold(textOf(text)), w))
			}))),
	}
	for _, f := range fieldTable {
		if t := celTypes[f.nature]; t != nil {
			options = append(options, cel.Variable(f.name, t))
		}
	}
	for name, t := range clockFields {
		options = append(options, cel.Variable(name, t))
	}
	for i := range variables {
		if v := &variables[i]; v.declared {
			options = append(options, cel.Variable(v.name, v.celType()))
		}
	}
	e, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("prepare for when: %w", err)
	}
	return e, nil
}

// textOf returns a CEL string; the checker has seen to the type.
func textOf(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

// compileError is one finding in an expression, at a line (from 1) and a
// column (from 0) of it.
type compileError struct {
	line, column int
	detail       string
}

// compile checks an expression and makes it ready to run within its limit. It
// guards against a compiler that panics, because no file may bring the process
// down (v0.32.0 does at "topic.matches('a{2}')" if its own limit for patterns
// is switched on; hence ours).
func compile(e *cel.Env, source string) (x *expression, errs []compileError) {
	defer func() {
		if p := recover(); p != nil {
			x, errs = nil, []compileError{{1, 0, fmt.Sprintf("can't be compiled: %v", p)}}
		}
	}()
	checked, issues := e.Compile(source)
	if issues.Err() != nil {
		for _, i := range issues.Errors() {
			errs = append(errs, compileError{i.Location.Line(), i.Location.Column(), clarify(i.Message)})
		}
		return nil, errs
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, []compileError{{1, 0, fmt.Sprintf("must be true or false, but it is of type %s", checked.OutputType())}}
	}
	if errs := refuse(checked.NativeRep()); errs != nil {
		return nil, errs
	}
	program, err := e.Program(checked, cel.CostLimit(expressionCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, []compileError{{1, 0, err.Error()}}
	}
	return &expression{program: program, source: source, reads: namesIn(checked.NativeRep())}, nil
}

// clarify puts cel-go's wording into ours where ours helps more.
func clarify(message string) string {
	if name, ok := strings.CutPrefix(message, "undeclared reference to "); ok {
		name, _, _ = strings.Cut(name, " (in container")
		return fmt.Sprintf("%s is no field, no function and not declared under variables", name)
	}
	return message
}

// refuse finds what CEL allows and rules do not. Objects that are written out
// are walked by cel-go in a different order each time, so that a rule could
// decide differently from one minute to the next. Patterns that come from a
// value would let a customer choose how much work a decision is.
func refuse(checked *ast.AST) (errs []compileError) {
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		at := checked.SourceInfo().GetStartLocation(e.ID())
		switch e.Kind() {
		case ast.MapKind, ast.StructKind:
			errs = append(errs, compileError{at.Line(), at.Column(), "objects can't be built in a condition"})
		case ast.CallKind:
			args := e.AsCall().Args()
			if e.AsCall().FunctionName() != overloads.Matches || len(args) == 0 {
				return
			}
			if detail := refusePattern(args[len(args)-1]); detail != "" {
				errs = append(errs, compileError{at.Line(), at.Column(), detail})
			}
		}
	}))
	return errs
}

func refusePattern(e ast.Expr) string {
	if e.Kind() != ast.LiteralKind {
		return "the pattern of matches must be written out"
	}
	if err := checkPattern(textOf(e.AsLiteral())); err != nil {
		return fmt.Sprintf("no RE2 pattern: %v", err)
	}
	return ""
}

// namesIn returns the fields and variables that an expression uses.
func namesIn(checked *ast.AST) []string {
	var names []string
	for _, r := range checked.ReferenceMap() {
		if r.Name != "" && len(r.OverloadIDs) == 0 && r.Value == nil {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// errWork is why a condition was not even tried.
var errWork = errors.New("the rules took too much work before this condition")

// test evaluates the expression. Whatever goes wrong is a miss.
func (x *expression) test(f *facts) verdict {
	if f.work <= 0 {
		return f.fail(errWork)
	}
	f.unbound = held
	out, details, err := x.program.Eval(activation{f})
	if cost := details.ActualCost(); cost != nil {
		f.spend(celUnit * int(min(*cost, expressionCost)))
	}
	switch {
	case err != nil && f.unbound != held:
		return f.unbound
	case err != nil:
		return f.fail(err)
	}
	return verdictOf(out == types.True)
}
