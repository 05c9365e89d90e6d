// Package methodstest names what was recorded of methods.
package methodstest

// RecordedOnViT are explanations by the names of what was recorded of them: float64 with weights as stored, cast, which
// agrees with the authors' code in float32 (index.json beside them says how well). Values that an ending rectifies were
// recorded before that.
var RecordedOnViT = map[string]string{
	"raw_attention":              "raw_attention",
	"onehead_attention":          "raw_attention:heads=one",
	"rollout":                    "rollout",
	"rollout_from1":              "rollout:from=1",
	"rollout_unnormalised":       "rollout:normalised=false",
	"chefer_last":                "chefer",
	"chefer_half":                "chefer:blocks=half",
	"chefer_all":                 "chefer:blocks=all",
	"chefer_all_cosine":          "chefer:blocks=8:target=cosine",
	"gradcam_ln1_signed":         "gradcam",
	"gradcam_ln1_softmax_signed": "gradcam:target=softmax",
	"gradcam_cls_signed":         "gradcam:layer=cls",
	"gradcam_eclip_signed":       "gradcam:layer=input",
	"gradcam_attention_signed":   "gradcam:layer=attention",
	"grad_eclip_signed":          "grad_eclip",
	"grad_eclip_raw_qk_signed":   "grad_eclip:qk=raw",
	"grad_eclip_no_ksim_signed":  "grad_eclip:ksim=false",
	"grad_eclip_native_signed":   "grad_eclip:heads=native",
	"legrad":                     "legrad",
	"legrad_all":                 "legrad:blocks=all",
	"clip_es_signed":             "clip_es",
	"gscorecam_13":               "gscorecam:k=13",
	"gscorecam_32":               "gscorecam:k=32",
	"scorecam":                   "gscorecam:k=0",
}

// RecordedOnResNet are those of a ResNet.
var RecordedOnResNet = map[string]string{
	"raw_attention":  "raw_attention",
	"gradcam_signed": "gradcam",
	"gscorecam_40":   "gscorecam:k=40",
	"gscorecam_296":  "gscorecam:k=296",
	"scorecam":       "gscorecam:k=0",
}
