package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ovbench/bench/analysis"
	"ovbench/metrics"
)

func scoreCommand() *cobra.Command {
	var (
		task, difficult, absent string
		labels                  = analysis.LabelScoring{Seed: 1}
		asJSON                  bool
	)
	c := &cobra.Command{
		Use:   "score",
		Short: "Score predictions made elsewhere",
		Long: `Score predictions made elsewhere against a truth.

  --task segmentation   --truth and --pred are folders of label maps: PNG, grey or palette, 8 or 16 bits, of equal
                        names and sizes. Conventions: ` + conventionNames() + `
                        cityscapes with --classes 34 is the whole evaluation on label ids, with *_instanceIds.png beside the
                        truth for iIoU (ids that are to be ignored need an --ignore of their own); with --classes 19 it
                        takes train ids, unless the truth has *_labelIds.png and no *_labelTrainIds.png.
                        ade20k with --reduce-zero-label takes truth and predictions numbered from 1.
                        imagenet_s takes RGB maps, id = R + 256 G.
  --task multilabel     --truth and --pred are .npy matrices [images, classes]: labels and scores. Of labels 1 is present. With
                        --absent 0, the default, 0 is absent and -1 difficult; with --absent -1, as VOC, WIDER-Attribute and
                        NUS lists are written, -1 is absent and 0 difficult or unknown. What is difficult is not counted
                        unless --difficult says otherwise. A truth with more -1 than 0 needs --absent.

--json prints one object: task, convention, images, counts, each defined score by its name (mIoU, mAcc, aAcc; mAP, CF1@3; 0 to 1),
per_class with class, scores and what they are made of, and with --resamples intervals and interval_level. What is undefined is left out.
Counts of a segmentation: void_images (wholly ignored), undefined_classes, pixels_out_of_range (predicted as no class); of label ids
images_with_instances too. Of a multilabel task: classes_without_positives, difficult_labels, images_without_labels.`,
		Example: "  ovbench score --task segmentation --truth gt --pred out --classes 21 --json",
		Args:    arguments(0, 0),
	}
	c.Flags().StringVar(&task, "task", "segmentation", "segmentation or multilabel")
	c.Flags().StringVar(&labels.Truth, "truth", "", "`folder` of label maps, or .npy file")
	c.Flags().StringVar(&labels.Pred, "pred", "", "`folder` of label maps, or .npy file")
	c.Flags().IntVar(&labels.Classes, "classes", 0, "number of classes")
	c.Flags().IntVar(&labels.Ignore, "ignore", 255,
		"value of the truth that does not count (default for imagenet_s: 1000)")
	c.Flags().BoolVar(&labels.ReduceZero, "reduce-zero-label", false, "the truth's 0 is ignored, its k is class k-1")
	c.Flags().StringVar(&labels.Convention, "convention", "mmseg", "how intersection and union are counted")
	c.Flags().BoolVar(&labels.Boundary, "boundary", false,
		"Boundary IoU too: mBIoU, of borders 2 % of the image diagonal wide (imagenet_s: always, 3 %)")
	c.Flags().StringVar(&difficult, "difficult", string(metrics.DifficultSkip),
		"what a difficult or unknown label counts as: skip, negative, positive")
	c.Flags().StringVar(&absent, "absent", "",
		"`value` of the truth for an absent class: 0, and -1 is difficult; or -1, and 0 is difficult or unknown")
	c.Flags().IntVar(&labels.Resamples, "resamples", 0, "bootstrap resamples of the images, for 95 % intervals")
	c.Flags().Uint64Var(&labels.Seed, "seed", 1, "of the resamples")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		usage := c.CommandPath()
		if labels.Truth == "" || labels.Pred == "" {
			return usagef(usage, "--truth and --pred are both needed")
		}
		if err := labelFlags(c, task, &labels); err != nil {
			return err
		}
		bar := newProgress(c.ErrOrStderr())
		var (
			f   *analysis.FileScores
			err error
		)
		switch task {
		case "segmentation":
			if labels.Classes < 1 {
				return usagef(usage, "--classes is missing: give the number of classes")
			}
			if _, err := metrics.FindConvention(labels.Convention); err != nil {
				return usageError{err, usage}
			}
			f, err = analysis.ScoreLabels(c.Context(), labels, bar)
		case "multilabel":
			if !slices.Contains(difficultRules, metrics.DifficultRule(difficult)) {
				return usagef(usage, "--difficult %q is not known; known are skip, negative, positive", difficult)
			}
			if a := analysis.Absent(absent); a != analysis.AbsentUnsaid && a != analysis.AbsentZero &&
				a != analysis.AbsentNegative {
				return usagef(usage, "--absent %q is not known; known are 0, -1", absent)
			}
			f, err = analysis.ScoreTags(analysis.TagScoring{
				Absent: analysis.Absent(absent), Truth: labels.Truth, Pred: labels.Pred, Classes: labels.Classes,
				Difficult: metrics.DifficultRule(difficult), Resamples: labels.Resamples, Seed: labels.Seed,
			})
		default:
			return usagef(usage, "--task %q is not known; known are segmentation, multilabel", task)
		}
		bar.finish()
		if err != nil {
			return err
		}
		for _, w := range f.Warnings {
			fmt.Fprintln(c.ErrOrStderr(), "ovbench: warning: "+w)
		}
		if asJSON {
			return scoresJSON(c.OutOrStdout(), f)
		}
		return scoresTable(c.OutOrStdout(), f)
	}
	return c
}

var difficultRules = []metrics.DifficultRule{metrics.DifficultSkip, metrics.DifficultNegative,
	metrics.DifficultPositive}

// labelFlags sets defaults that depend on the convention, and refuses flags that go with another task or convention.
func labelFlags(c *cobra.Command, task string, labels *analysis.LabelScoring) error {
	of := map[string]string{"difficult": "multilabel", "absent": "multilabel", "ignore": "segmentation",
		"reduce-zero-label": "segmentation", "convention": "segmentation", "boundary": "segmentation"}
	for _, flag := range slices.Sorted(maps.Keys(of)) {
		if c.Flag(flag).Changed && of[flag] != task && (task == "segmentation" || task == "multilabel") {
			return usagef(c.CommandPath(), "--%s goes with --task %s, not %s", flag, of[flag], task)
		}
	}
	labelIDs := labels.Convention == "cityscapes" && labels.Classes == len(metrics.CityscapesLabels)
	switch {
	case labels.Ignore < 0 || labels.Ignore > 65535:
		return usagef(c.CommandPath(), "--ignore %d is no value of a label map: want 0 to 65535", labels.Ignore)
	case labels.Classes < 0 || labels.Classes > metrics.MaxClasses:
		return usagef(c.CommandPath(), "--classes %d: want 1 to %d", labels.Classes, metrics.MaxClasses)
	case labels.Resamples < 0 || labels.Resamples > mostDraws:
		return usagef(c.CommandPath(), "--resamples %d: want 0 for no intervals, or how many, at most %d", labels.Resamples,
			mostDraws)
	case labelIDs && labels.ReduceZero:
		return usagef(c.CommandPath(),
			"--reduce-zero-label does not go with Cityscapes' label ids (--classes 34), which are fixed")
	case labelIDs && labels.Boundary:
		return usagef(c.CommandPath(),
			"--boundary does not go with Cityscapes' label ids (--classes 34); score train ids with --classes 19")
	}
	if !c.Flag("ignore").Changed {
		labels.Ignore = -1 // the convention's own
	}
	return nil
}

func conventionNames() string {
	var names []string
	for _, v := range metrics.Conventions {
		names = append(names, v.Name)
	}
	return strings.Join(names, ", ")
}

// scoresJSON writes one object: what was scored and how, then each score under its name, as fractions.
func scoresJSON(w io.Writer, f *analysis.FileScores) error {
	out := map[string]any{"task": f.Task, "convention": f.Convention, "images": f.Images}
	for k, v := range f.Counts {
		out[k] = v
	}
	intervals := map[string][2]float64{}
	for _, s := range f.Scores {
		out[s.Name] = s.Value
		if s.Low != nil {
			intervals[s.Name], out["interval_level"] = [2]float64{*s.Low, *s.High}, s.Level
		}
	}
	if len(intervals) > 0 {
		out["intervals"] = intervals
	}
	classes := []map[string]any{}
	for i, k := range f.Classes {
		row := map[string]any{"class": k.Class}
		if f.ClassNames != nil {
			row["class"] = f.ClassNames[i]
		}
		if f.Task == "segmentation" {
			row["intersection"], row["truth"], row["predicted"] = k.Intersection, k.Truth, k.Pred
		} else {
			row["positives"] = k.Truth
		}
		for _, s := range k.Scores {
			row[s.Name] = s.Value
		}
		classes = append(classes, row)
	}
	out["per_class"] = classes
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func scoresTable(w io.Writer, f *analysis.FileScores) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s, %s, %d images\n", f.Task, f.Convention, f.Images)
	for _, s := range f.Scores {
		fmt.Fprintf(table, "%s\t%.2f", s.Name, 100*s.Value)
		if s.Low != nil {
			fmt.Fprintf(table, "\t%.2f to %.2f", 100**s.Low, 100**s.High)
		}
		fmt.Fprintln(table)
	}
	for i, k := range f.Classes {
		name := fmt.Sprint("class ", k.Class)
		if f.ClassNames != nil {
			name = f.ClassNames[i]
		}
		fmt.Fprintf(table, "  %s", name)
		for _, s := range k.Scores {
			fmt.Fprintf(table, "\t%s %.2f", s.Name, 100*s.Value)
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}
