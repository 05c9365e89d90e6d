package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovbench/bench/analysis"
	"ovbench/configs"
	"ovbench/metrics"
	"ovbench/reports"
	"ovbench/runners/clip"
	"ovbench/runners/hub"
	"ovbench/runners/methods"
	"ovbench/runners/vit"
)

// flagValues are what a shell may complete flags with: by the name of the flag or, where a name means something else in
// one command, by "command flag".
var flagValues = map[string]func() []string{
	"activation": fixed(string(vit.QuickGELU), string(vit.GELU)),
	"convention": func() []string { return strings.Split(conventionNames(), ", ") },
	"difficult": fixed(string(metrics.DifficultSkip), string(metrics.DifficultNegative),
		string(metrics.DifficultPositive)),
	"format":         func() []string { return append(reports.Formats(), onTerminal) },
	"method":         methods.Names,
	"model":          func() []string { return append([]string{"demo", "micro"}, hub.Cached()...) },
	"panels":         fixed("all", "best", "worst", "median", "random", "id="),
	"pick":           fixed("score", "single"),
	"positions":      fixed("reference", string(vit.Bilinear), string(vit.Bicubic), string(vit.BicubicAntialias)),
	"records format": func() []string { return analysis.RowFormats },
	"prompt":         fixed("points", "box", "both"),
	"redundant": fixed(string(methods.Labels), string(methods.Empty), string(methods.Paper), string(methods.Sigmoid),
		string(methods.NoSurgery)),
	"resize":    fixed(string(clip.Squash), string(clip.Crop)),
	"save":      fixed("maps", "labels", "masks"),
	"task":      fixed("segmentation", "multilabel"),
	"templates": clip.TemplateNames,
}

func fixed(values ...string) func() []string { return func() []string { return values } }

// filesToo are the flags that also take a file.
var filesToo = map[string]bool{"model": true, "templates": true}

// completeFlags tells cobra what the flags of c can be.
func completeFlags(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		values := flagValues[c.Name()+" "+f.Name]
		if values == nil {
			values = flagValues[f.Name]
		}
		if values == nil {
			return
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if filesToo[f.Name] {
			directive = cobra.ShellCompDirectiveDefault
		}
		list := strings.HasSuffix(f.Value.Type(), "Slice")
		err := c.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, begun string) ([]string,
			cobra.ShellCompDirective) {
			if !list {
				return values(), directive
			}
			before := begun[:strings.LastIndex(begun, ",")+1] // what is in the list already
			var out []string
			for _, v := range values() {
				out = append(out, before+v)
			}
			return out, directive
		})
		if err != nil {
			panic(err) // the flag is there, and named once
		}
	})
}

// completeSuites offers the built-in suites, and files.
func completeSuites(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return configs.Names(), cobra.ShellCompDirectiveDefault
}
