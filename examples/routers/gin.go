package routers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/moneykit/moneykit-go/webhook"
)

// Gin serves l with gin. The calls get the context of the request, since a *gin.Context does not end with it unless the
// engine has ContextWithFallback.
func Gin(l *Linking) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.Recovery())
	r.POST("/linking/session", func(c *gin.Context) {
		token, err := l.createSession(c.Request.Context(), l.User(c.Request))
		if err != nil {
			c.AbortWithStatus(status(err))
			return
		}
		c.JSON(http.StatusOK, sessionResponse{token})
	})
	r.POST("/linking/exchange-token", func(c *gin.Context) {
		var in exchangeRequest
		if err := c.ShouldBindJSON(&in); err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		if err := l.exchange(c.Request.Context(), l.User(c.Request), in.ExchangeableToken); err != nil {
			c.AbortWithStatus(status(err))
			return
		}
		c.Status(http.StatusNoContent)
	})
	r.POST("/moneykit_webhook", gin.WrapH(webhook.Handler(l.Verifier, l.Event))) // it needs the raw body: bind nothing before
	return r
}
