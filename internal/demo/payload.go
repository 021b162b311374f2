package demo

import (
	"encoding/json"
	"fmt"
)

// The customers of the two services.
var (
	tenants  = []string{"acme", "globex", "initech", "umbrella", "hooli"}
	projects = []string{"checkout", "billing-api", "mobile-app", "search", "data-lake"}
)

// emailPayload points at a mail that the service keeps in its database.
func emailPayload(c chance, _ string) any {
	return struct {
		QueueID string `json:"queueId"`
		UserID  string `json:"userId"`
	}{c.uuid(), fmt.Sprintf("user-%d", 1000+c.IntN(9000))}
}

func orchestrationPayload(c chance, name string) any {
	jobType := map[string]string{
		"nightly-batch": "batch", "analyze-repo": "github_analysis", "run-agent": "single_agent", "rerun": "retry",
	}[name]
	return struct {
		ProjectID   string            `json:"projectId"`
		TriggeredBy string            `json:"triggeredBy"`
		JobType     string            `json:"jobType"`
		AgentSlug   string            `json:"agentSlug"`
		Context     map[string]string `json:"context"`
	}{
		pick(c, projects...), pick(c, "webhook", "webhook", "manual", "api", "cron"), jobType,
		pick(c, "planner", "reviewer", "release-notes"),
		map[string]string{"branch": pick(c, "main", "main", "develop", "release/4.2")},
	}
}

// rolePayload points at a ticket, as the agent roles' jobs do.
func rolePayload(role string, skills ...string) func(chance, string) any {
	return func(c chance, _ string) any {
		return struct {
			TicketID string   `json:"ticketId"`
			TenantID string   `json:"tenantId"`
			RoleSlug string   `json:"roleSlug"`
			Attempt  int      `json:"attempt"`
			Skills   []string `json:"skills"`
		}{fmt.Sprintf("WF-%d", 2000+c.IntN(3000)), pick(c, tenants...), role, 1, []string{pick(c, skills...)}}
	}
}

func webhookPayload(c chance, name string) any {
	tenant := pick(c, tenants...)
	return struct {
		TicketID string `json:"ticketId"`
		TenantID string `json:"tenantId"`
		Event    string `json:"event"`
		URL      string `json:"url"`
	}{fmt.Sprintf("WF-%d", 2000+c.IntN(3000)), tenant, name, "https://hooks." + tenant + ".example/workforce"}
}

func digestPayload(c chance, _ string) any {
	return struct {
		TenantID string `json:"tenantId"`
		Period   string `json:"period"`
		Tickets  int    `json:"tickets"`
	}{pick(c, tenants...), "day", 3 + c.IntN(40)}
}

// The results, in the shapes that the services expect.

func emailResult(c chance) any {
	return struct {
		Success   bool   `json:"success"`
		MessageID string `json:"messageId"`
	}{true, fmt.Sprintf("<%x@mail.synthstack.example>", c.Uint64())}
}

func orchestrationResult(c chance) any {
	agents := 1 + c.IntN(4)
	return struct {
		Success         bool `json:"success"`
		AgentsExecuted  int  `json:"agentsExecuted"`
		AgentsSucceeded int  `json:"agentsSucceeded"`
		TasksCreated    int  `json:"tasksCreated"`
	}{true, agents, agents, c.IntN(7)}
}

func roleResult(c chance) any {
	return struct {
		Success bool `json:"success"`
		Tokens  int  `json:"tokens"`
	}{true, 800 + c.IntN(24000)}
}

func webhookResult(c chance) any {
	return struct {
		Status int `json:"status"`
	}{pick(c, 200, 200, 202, 204)}
}

// text turns one of the values above into JSON.
func text(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // structs of texts and numbers always marshal
		return json.RawMessage("null")
	}
	return b
}
