// Command ovbench measures how well a CLIP model, read by a given method, says where things are.
//
// Data go to standard output; progress, warnings and errors to standard error.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/reports/plain"
)

func main() {
	debug.SetTraceback("crash") // a crash ends with SIGABRT, not with exit status 2, which means wrong usage
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code. Names of others reach a terminal as texts: what it would
// obey in them is taken out. Data that go elsewhere stay as they are.
func run(ctx context.Context, stdout, stderr io.Writer, args []string) int {
	stderr = plain.Writer{To: stderr}
	if isTerminal(stdout) {
		stdout = plain.Writer{To: stdout}
	}
	root := newRoot()
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	return exitCode(ctx, stderr, root.ExecuteContext(ctx))
}

// newRoot is the command with all its subcommands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ovbench",
		Short: "Evaluate training-free open-vocabulary methods on CLIP",
		Long: `ovbench answers one question: how well does a CLIP model, read by a given method, say where things are?

It reads checkpoints as they are (Hugging Face, open_clip, OpenAI), runs all methods in one pass
with ONNX Runtime, and reports scores with their protocol, interval and provenance.

  ovbench setup                          fetch ONNX Runtime, once
  ovbench run demo --out out             a first run that needs nothing
  ovbench explain photo.jpg --model M --text "a dog" --out maps`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       engine.Tool().Version,
		Args:          subcommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{unknownFlag(c, wordedFlag(err)), c.CommandPath()}
	})
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Measure:", []*cobra.Command{runCommand(), checkCommand(), expertsCommand(), mergeCommand(), rescoreCommand(),
			importCommand(), submitCommand(), statusCommand()}},
		{"Look at results:", []*cobra.Command{reportCommand(), compareCommand(), panelsCommand(), recordsCommand(),
			auditCommand(),
			scoreCommand()}},
		{"Use a model:", []*cobra.Command{explainCommand(), segmentCommand(), encodeCommand(), exportCommand(),
			pullCommand()}},
		{"Find out:", []*cobra.Command{listCommand(), doctorCommand(), schemaCommand()}},
		{"Set up:", []*cobra.Command{setupCommand(), initCommand(), shapesCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, c := range group.commands {
			c.GroupID = group.title
		}
		root.AddCommand(group.commands...)
	}
	root.SetHelpCommandGroupID("Find out:")
	root.SetCompletionCommandGroupID("Set up:")
	finish(root)
	return root
}

// finish ends every help text with the exit codes, turns wrong arguments into usage errors, and has shells complete
// flags.
func finish(c *cobra.Command) {
	for _, sub := range c.Commands() {
		finish(sub)
	}
	completeFlags(c)
	if c.Long == "" {
		c.Long = c.Short + "."
	}
	c.SetUsageTemplate(c.UsageTemplate() + exitStatus)
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{err, c.CommandPath()}
			}
			return nil
		}
	}
}

// goNumber is how strconv begins what it has to say.
var goNumber = regexp.MustCompile(`strconv\.(Parse\w+): parsing .*: (invalid syntax|value out of range)$`)

// wordedFlag says what a flag wants in place of which function of Go failed.
func wordedFlag(err error) error {
	m := goNumber.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	want := map[string]string{"ParseInt": "want a whole number", "ParseUint": "want a whole number from 0",
		"ParseFloat": "want a number", "ParseBool": "want true or false"}[m[1]]
	if m[2] != "invalid syntax" {
		want = "a number too large"
	}
	return errors.New(strings.TrimSuffix(err.Error(), m[0]) + want)
}
