package routers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/moneykit/moneykit-go/webhook"
)

// Echo serves l with echo.
func Echo(l *Linking) http.Handler {
	e := echo.New()
	e.POST("/linking/session", func(c echo.Context) error {
		token, err := l.createSession(c.Request().Context(), l.User(c.Request()))
		if err != nil {
			return echo.NewHTTPError(status(err)).SetInternal(err)
		}
		return c.JSON(http.StatusOK, sessionResponse{token})
	})
	e.POST("/linking/exchange-token", func(c echo.Context) error {
		var in exchangeRequest
		if err := c.Bind(&in); err != nil {
			return err
		}
		if err := l.exchange(c.Request().Context(), l.User(c.Request()), in.ExchangeableToken); err != nil {
			return echo.NewHTTPError(status(err)).SetInternal(err)
		}
		return c.NoContent(http.StatusNoContent)
	})
	e.POST("/moneykit_webhook", echo.WrapHandler(webhook.Handler(l.Verifier, l.Event))) // it needs the raw body: bind nothing before
	return e
}
