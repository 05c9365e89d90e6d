package reports

import (
	"image"
	"image/color"
)

// The colours of an error map, told apart by colour-blind readers and in grey.
var errorColors = [...]struct {
	name  string
	color color.RGBA
}{
	{"right", color.RGBA{86, 180, 233, 255}},
	{"wrong", color.RGBA{213, 94, 0, 255}},
	{"ignored", color.RGBA{225, 225, 225, 255}},
}

// errorMap says of every pixel of a prediction whether it is right, wrong, or ignored by the truth.
func errorMap(truth, pred *labels) *image.Paletted {
	var palette color.Palette
	for _, k := range errorColors {
		palette = append(palette, k.color)
	}
	out := image.NewPaletted(image.Rect(0, 0, truth.w, truth.h), palette)
	for i, t := range truth.at {
		switch {
		case t == truth.void:
			out.Pix[i] = 2
		case pred.at[i] == pred.void || pred.at[i] != t:
			out.Pix[i] = 1
		}
	}
	return out
}

// verdict is how right the label map of one image is, at its full size.
type verdict struct {
	right, wrong int     // pixels that the truth does not ignore
	iou          float64 // mean over the classes that are in the truth or the prediction
}

// mIoU and wrongs are the verdict under the pictures of labels and of errors; nothing where nothing was judged.
func (v verdict) mIoU() string {
	if v.right+v.wrong == 0 {
		return ""
	}
	return "mIoU " + percent(v.iou) + " %"
}

// score is the mean IoU, or nil where nothing was judged.
func (v verdict) score() *float64 {
	if v.right+v.wrong == 0 {
		return nil
	}
	return &v.iou
}

func (v verdict) wrongs() string {
	if v.right+v.wrong == 0 {
		return ""
	}
	return percent(float64(v.wrong)/float64(v.right+v.wrong)) + " % wrong"
}

// judge compares label maps of one size.
func judge(truth, pred *labels) (v verdict) {
	var both, either [1 << 16]int
	for i, t := range truth.at {
		if t == truth.void {
			continue
		}
		either[t]++
		switch p := pred.at[i]; {
		case p == pred.void:
			v.wrong++
		case p == t:
			both[t]++
			v.right++
		default:
			either[p]++
			v.wrong++
		}
	}
	classes := 0
	for c, n := range either {
		if n > 0 {
			v.iou += float64(both[c]) / float64(n)
			classes++
		}
	}
	v.iou /= float64(max(1, classes))
	return v
}

// mapScore is the mean of a similarity map inside of a class minus that outside, in -1..1; NaN if either is empty.
func mapScore(truth *labels, class uint16, saliency *image.Gray) float64 {
	var sum [2]float64
	var n [2]int
	for i, t := range truth.at {
		if t == truth.void {
			continue
		}
		k := 0
		if t == class {
			k = 1
		}
		sum[k] += float64(saliency.Pix[i]) / 255
		n[k]++
	}
	return sum[1]/float64(n[1]) - sum[0]/float64(n[0])
}
