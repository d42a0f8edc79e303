// The Lambda function hubwatch, started by a schedule every minute.
package main

import (
	"os"
	"time"

	"handoff/infra/cloud"
)

func main() { cloud.Start(os.Getenv, time.Now, bind) }
