package kube

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/herald-network/herald/internal/access"
)

// Review asks the API server whose a token is, and whether they may get a path. It is an access.Reviewer.
func (c *Clients) Review(ctx context.Context, token, path string) (access.Answer, error) {
	var whose authenticationv1.TokenReview
	question := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if err := c.authentication.Post().Resource("tokenreviews").Body(question).Do(ctx).Into(&whose); err != nil {
		return access.Answer{}, fmt.Errorf("review a token: %w", err)
	}
	user := whose.Status.User
	if !whose.Status.Authenticated || user.Username == "" {
		return access.Answer{}, nil
	}
	isAllowed, err := c.mayGet(ctx, user, path)
	if err != nil {
		return access.Answer{}, fmt.Errorf("review the access of %s to %s: %w", user.Username, path, err)
	}
	return access.Answer{User: user.Username, IsAllowed: isAllowed}, nil
}

func (c *Clients) mayGet(ctx context.Context, user authenticationv1.UserInfo, path string) (bool, error) {
	var may authorizationv1.SubjectAccessReview
	question := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
	}}
	for key, values := range user.Extra {
		question.Spec.Extra[key] = authorizationv1.ExtraValue(values)
	}
	err := c.authorization.Post().Resource("subjectaccessreviews").Body(question).Do(ctx).Into(&may)
	return may.Status.Allowed, err
}
