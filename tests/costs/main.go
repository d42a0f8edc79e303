// Costs prints what Handoff on AWS costs and how far it goes: go run ./tests/costs.
//
// Every price and assumption can be replaced: -set dynamodb_write=0.75, as often
// as needed; -list prints all of them. -capacity prints the capacity plan.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"handoff/tests/costs/bill"
	"handoff/tests/costs/capacity"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "costs:", err)
		os.Exit(1)
	}
}

func run() error {
	in, err := bill.Default()
	if err != nil {
		return err
	}
	flag.Func("set", "a price or an assumption, `name=value`", func(s string) error {
		name, value, _ := strings.Cut(s, "=")
		v, err := strconv.ParseFloat(value, 64)
		return errors.Join(err, in.Set(name, v))
	})
	list := flag.Bool("list", false, "print prices and assumptions")
	plan := flag.Bool("capacity", false, "print the capacity plan")
	flag.Parse()
	switch {
	case *list:
		for _, p := range in.Prices {
			fmt.Printf("%-18s $%g for %g: %s\n", p.Name, p.USD, p.Per, p.Of)
		}
		for _, a := range in.Assumptions {
			fmt.Printf("%-18s %g: %s\n", a.Name, a.Value, a.Why)
		}
		return nil
	case *plan:
		return capacity.Report(os.Stdout, in)
	}
	return in.Report(os.Stdout)
}
