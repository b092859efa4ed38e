package main

import (
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"

	"github.com/moneykit/moneykit-go/api"
)

// A process is a child as its parent has it.
type process struct {
	number int
	cmd    *exec.Cmd
	client *rpc.Client
}

// startProcess starts this program again, as a child.
func startProcess(number int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{number: number, cmd: exec.Command(self, childArgument)}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.client = rpc.NewClient(pipes{out, in})
	return p, nil
}

// childArgument makes this program a child.
const childArgument = "child"

// pipes are the connection between a child and its parent.
type pipes struct {
	io.Reader
	io.WriteCloser
}

func (p *process) do(method string, argument, result any) error {
	if err := p.client.Call("Child."+method, argument, result); err != nil {
		return fmt.Errorf("process %d: %s: %w", p.number, method, err)
	}
	return nil
}

// call makes a call. Its error is the client's, or one of the connection with the child.
func (p *process) call(c Call) (Reply, error) {
	var r Reply
	if err := p.do("Call", c, &r); err != nil {
		return r, err
	}
	if r.Failure == "" {
		return r, nil
	}
	f := &failure{text: r.Failure}
	if r.Unknown {
		f.is = append(f.is, api.ErrOutcomeUnknown)
	}
	if r.Used {
		f.is = append(f.is, api.ErrInvalidTokenExchange)
	}
	return r, f
}

// stop ends the child, whose exit status says whether the race detector found something.
func (p *process) stop() error {
	closed := p.client.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("process %d: %w", p.number, err)
	}
	return closed
}

// A failure is an error of the client in a child.
type failure struct {
	text string
	is   []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.is }
