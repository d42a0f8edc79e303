// The Lambda function disconnected, told of Disconnected by a queue that the bus
// fills, and by another one a little later, because the lists lag behind.
package main

import (
	"os"
	"time"

	"handoff/infra/cloud"
)

func main() { cloud.Start(os.Getenv, time.Now, bind) }
