package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/analysis"
	"ovbench/bench/engine"
	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/reports"
	"ovbench/reports/results"
)

// defaultPanels is the number of samples shown where nobody says how many.
const defaultPanels = 8

func panelsCommand() *cobra.Command {
	var (
		rank        analysis.Ranking
		worst, best int
		ids         []string
		out, data   string
	)
	c := &cobra.Command{
		Use:   "panels RUN... --out DIR",
		Short: "Draw samples of a run after the fact, ranked over all its records",
		Long: `Draw samples of a run: picture, truth, and what each method made of it. They are chosen among all samples that the run
measured, by the score of the single image: the lowest (--worst N) or the highest (--best N), of one method (--by) or the
mean of all, or the difference to another (--baseline); or they are named (--ids). With several runs, the first one chooses,
and the same samples of the others stand below.

A run keeps records, not pictures: those it did not keep are made again, by running its command for the chosen samples
alone, in the folder where that command was typed. A sample that comes out other than it was recorded is named.

The folder --out gets a PNG for each sample, in the order of the ranking, and panels.json.`,
		Example: `  ovbench panels out/voc20 --worst 6 --by clip_surgery --out worst
  ovbench panels out/voc20 --best 6 --by clip_surgery --baseline clip --classes cat,dog --out gains
  ovbench panels out/voc20 out/mine --ids 2007_000033,2007_000061 --out both`,
		Args: arguments(1, -1),
	}
	c.Flags().IntVar(&worst, "worst", 0, fmt.Sprintf("the `N` samples with the lowest value (default: %d)", defaultPanels))
	c.Flags().IntVar(&best, "best", 0, "the `N` samples with the highest value")
	c.Flags().StringSliceVar(&ids, "ids", nil, "the samples of these `ids`, in this order")
	c.Flags().StringVar(&rank.Method, "by", "", "rank by this `method` (default: the mean of all)")
	c.Flags().StringVar(&rank.Baseline, "baseline", "", "rank by the difference of --by to this `method`")
	c.Flags().StringVar(&rank.Score, "score", "", "rank by this `score` of single images (default: the main one)")
	c.Flags().StringSliceVar(&rank.Classes, "classes", nil,
		"images that have one of these `classes`, by the IoU of these alone")
	c.Flags().StringVar(&data, "data", "", "`root` of the data sets (default: as the run had it)")
	c.Flags().StringVar(&out, "out", "", "`folder` to write")
	c.RunE = func(c *cobra.Command, dirs []string) error {
		if out == "" {
			return usagef(c.CommandPath(), "--out is missing: name the folder to write")
		}
		if worst < 0 || best < 0 || min(worst, 1)+min(best, 1)+min(len(ids), 1) > 1 {
			return usagef(c.CommandPath(), "want one of --worst N, --best N, --ids ID,ID")
		}
		rank.Best = best > 0
		n := max(worst, best)
		if n == 0 {
			n = defaultPanels
		}
		run, recs, err := analysis.Load(dirs[0])
		if err != nil {
			return err
		}
		list, err := analysis.Rank(run, recs, rank)
		if err != nil {
			return err
		}
		if ids != nil {
			if list, err = byID(list, ids); err != nil {
				return fmt.Errorf("%s: %w", dirs[0], err)
			}
			n = len(list)
		}
		return drawPanels(c, dirs, list[:min(n, len(list))], data, out)
	}
	return c
}

// byID are the samples of a ranking that have ids, in their order.
func byID(list []analysis.Ranked, ids []string) (out []analysis.Ranked, err error) {
	for _, id := range ids {
		n := len(out)
		for _, r := range list {
			if r.ID == id {
				out = append(out, r)
			}
		}
		if len(out) == n {
			err = errors.Join(err, fmt.Errorf("no sample %q was measured, or it has no score by itself", id))
		}
	}
	return out, err
}

// drawPanels draws samples of all runs, one below the other.
func drawPanels(c *cobra.Command, dirs []string, list []analysis.Ranked, data, out string) error {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	columns := make([][]image.Image, len(list))
	for _, dir := range dirs {
		run, done, err := withPictures(c, dir, list, data, out)
		if err != nil {
			return err
		}
		for i, r := range list {
			at := slices.IndexFunc(run.Panels, func(p results.Panel) bool { return p.Dataset == r.Dataset && p.ID == r.ID })
			if at < 0 {
				fmt.Fprintf(c.ErrOrStderr(), "ovbench: warning: %s has no sample %s of %s\n", dir, r.ID, r.Dataset)
				continue
			}
			sheet, err := reports.Sheet(run, run.Panels[at])
			if err != nil {
				done()
				return err
			}
			columns[i] = append(columns[i], sheet)
		}
		done()
	}
	for i, r := range list {
		name := filepath.Join(out, fmt.Sprintf("%02d-%s-%s.png", i+1, records.Clean(r.Dataset), records.Clean(r.ID)))
		if len(columns[i]) == 0 {
			continue
		}
		if err := reports.WritePNG(name, stacked(columns[i])); err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "%s  %s %.2f\n", name, r.Score, 100*r.Value)
	}
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return results.WriteFile(filepath.Join(out, "panels.json"), append(raw, '\n'))
}

// stacked is pictures one below the other on white.
func stacked(list []image.Image) image.Image {
	if len(list) == 1 {
		return list[0]
	}
	var size image.Point
	for _, img := range list {
		size.X, size.Y = max(size.X, img.Bounds().Dx()), size.Y+img.Bounds().Dy()
	}
	out := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	y := 0
	for _, img := range list {
		b := img.Bounds()
		draw.Draw(out, image.Rect(0, y, b.Dx(), y+b.Dy()), img, b.Min, draw.Src)
		y += b.Dy()
	}
	return out
}

// withPictures is a run with pictures of the samples: those it kept, if it kept all of them, or else made again. done
// takes away what was made.
func withPictures(c *cobra.Command, dir string, list []analysis.Ranked, data, out string) (*results.Run, func(),
	error) {
	run, err := results.Read(dir)
	if err != nil {
		return nil, nil, err
	}
	kept := func(r analysis.Ranked) bool {
		return slices.ContainsFunc(run.Panels, func(p results.Panel) bool { return p.Dataset == r.Dataset && p.ID == r.ID })
	}
	if !slices.ContainsFunc(list, func(r analysis.Ranked) bool { return !kept(r) }) {
		return run, func() {}, nil
	}
	scratch, err := os.MkdirTemp(out, ".panels-")
	if err != nil {
		return nil, nil, err
	}
	done := func() { os.RemoveAll(scratch) }
	again, err := remake(c, run, list, data, filepath.Join(scratch, "run"))
	if err == nil {
		err = sayChanges(c, dir, again.Dir, list)
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("making pictures of %s again: %w", dir, err)
	}
	return again, done, nil
}

// remake runs the command of a run for some of its samples, with pictures of each.
func remake(c *cobra.Command, run *results.Run, list []analysis.Ranked, data, out string) (*results.Run, error) {
	suite, err := configs.Parse(run.Suite.File, []byte(run.Suite.Text), tasks.Known())
	if err != nil {
		return nil, fmt.Errorf("its suite: %w", err)
	}
	suite.Panels, suite.Resamples = len(list), 0
	plan := func(f *suiteFlags, command *cobra.Command, of func(engine.Request) (*engine.Plan, error)) (*engine.Plan,
		error) {
		if err := command.ParseFlags(run.Command[2:]); err != nil {
			return nil, fmt.Errorf("its command %q: %w", strings.Join(run.Command, " "), err)
		}
		if data != "" {
			f.data = data
		}
		if len(f.models) > 1 { // the suite says which one it was
			f.model = ""
		}
		f.only, f.limit = nil, 0
		for _, r := range list {
			f.only = append(f.only, r.ID)
		}
		req, err := f.request(command, suite)
		if err != nil {
			return nil, err
		}
		req.Out, req.Jobs, req.Command = out, 2, run.Command
		return of(req)
	}
	var p *engine.Plan
	switch {
	case len(run.Command) > 2 && run.Command[1] == "run":
		var f runFlags
		command := &cobra.Command{Use: "run"}
		f.add(command)
		p, err = plan(&f.suiteFlags, command, engine.NewPlan)
	case len(run.Command) > 2 && run.Command[1] == "import":
		var f importFlags
		command := &cobra.Command{Use: "import"}
		f.add(command)
		p, err = plan(&f.suiteFlags, command,
			func(r engine.Request) (*engine.Plan, error) { return engine.NewImport(r, f.im) })
	default:
		return nil, fmt.Errorf("results do not say by which command it was made: measure with panels: N in the suite")
	}
	if err != nil {
		return nil, err
	}
	bar := newProgress(c.ErrOrStderr())
	defer bar.finish()
	return p.Run(c.Context(), bar)
}

// sayChanges names samples that are not as they were recorded.
func sayChanges(c *cobra.Command, dir, again string, list []analysis.Ranked) error {
	var recs [2][]records.Record
	for i, d := range []string{dir, again} {
		var err error
		if _, recs[i], err = analysis.Load(d); err != nil {
			return err
		}
	}
	for _, r := range list {
		var lines [2]string
		for i := range recs {
			at := slices.IndexFunc(recs[i], func(rec records.Record) bool { return rec.Dataset == r.Dataset && rec.ID == r.ID })
			if at < 0 {
				continue
			}
			raw, err := json.Marshal(recs[i][at].Methods)
			if err != nil {
				return err
			}
			lines[i] = string(raw)
		}
		if lines[0] != lines[1] && lines[0] != "" && lines[1] != "" {
			fmt.Fprintf(c.ErrOrStderr(), "ovbench: warning: %s is not as %s recorded it: the picture shows what comes out now\n",
				r.ID, dir)
		}
	}
	return nil
}
