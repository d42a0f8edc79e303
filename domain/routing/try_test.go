package routing
import ("testing"; "cel.dev/cel-go/cel"; "go.yaml.in/yaml/v3"; "pgregory.net/rapid")
func TestX(t *testing.T){ e,err:=cel.NewEnv(cel.Variable("a",cel.StringType)); if err!=nil{t.Fatal(err)}; _,iss:=e.Compile("a == 1 && b"); for _,x:=range iss.Errors(){t.Log(x.Location.Line(),x.Location.Column(),x.Message)}; var n yaml.Node; _=yaml.Unmarshal([]byte("a: 1"),&n); _=rapid.Int }
