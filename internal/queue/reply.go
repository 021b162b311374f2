package queue

// Scripts answer with nested lists of texts and numbers. These read them
// without trusting their shape: a proxy or another server may sit in between.

func replyList(v any) []any {
	list, _ := v.([]any)
	return list
}

func replyText(v any) string {
	text, _ := v.(string)
	return text
}

func replyInt(v any) int64 {
	n, _ := v.(int64)
	return n
}

func replyTexts(v any) []string {
	list := replyList(v)
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = replyText(item)
	}
	return texts
}

// at returns nil past the end.
func at(list []any, i int) any {
	if i >= len(list) {
		return nil
	}
	return list[i]
}
