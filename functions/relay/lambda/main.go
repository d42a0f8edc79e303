// The Lambda function relay: called by Azure Bots through an HTTP API, told of
// facts by a FIFO queue, and by a queue of timers that it is time to look.
package main

import (
	"os"
	"time"

	"handoff/infra/cloud"
)

func main() { cloud.Start(os.Getenv, time.Now, bind) }
