"""FastCRUD in its own endpoints, the leaner of its two forms.

Its generated router also counts the table for every list and solves more dependencies per request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query
from fastcrud import FastCRUD
from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.data import PUBLIC
from benchmarks.peers import POOL, User, UserResponse, UserUpdate, make_durable
from benchmarks.urls import async_url, from_environment

engine = create_async_engine(async_url(from_environment()), **POOL)
make_durable(engine.sync_engine)
session_factory = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
users: Any = FastCRUD(User)
app = FastAPI()


async def get_db() -> AsyncIterator[AsyncSession]:
    """One session per request."""
    async with session_factory() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]


@app.get("/api/v1/users/{user_id}", response_model=UserResponse)
async def read_user(user_id: int, db: Db) -> Any:
    """One user by id."""
    user = await users.get(db, schema_to_select=UserResponse, id=user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    return user


@app.get("/api/v1/users", response_model=list[UserResponse])
async def list_users(
    db: Db, skip: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 100
) -> Any:
    """Some users in the order of their ids."""
    page = await users.get_multi(
        db,
        offset=skip,
        limit=limit,
        schema_to_select=UserResponse,
        sort_columns="id",
        return_total_count=False,
    )
    return page["data"]


@app.patch("/api/v1/users/{user_id}", response_model=UserResponse)
async def update_user(user_id: int, change: UserUpdate, db: Db) -> Any:
    """Change the fields that were sent."""
    try:
        return await users.update(
            db, change, server_data={"version": User.version + 1}, return_columns=list(PUBLIC), id=user_id
        )
    except NoResultFound:
        raise HTTPException(404, "User not found") from None
