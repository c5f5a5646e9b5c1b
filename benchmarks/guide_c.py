"""Guide C's way: an AsyncSession per request, the ORM, `response_model`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.peers import POOL, User, UserResponse, UserUpdate, make_durable
from benchmarks.urls import async_url, from_environment

engine = create_async_engine(async_url(from_environment()), **POOL)
make_durable(engine.sync_engine)
session_factory = async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
app = FastAPI()


async def get_db() -> AsyncIterator[AsyncSession]:
    """One session per request."""
    async with session_factory() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]


@app.get("/api/v1/users/{user_id}", response_model=UserResponse)
async def read_user(user_id: int, db: Db) -> User:
    """One user by id."""
    user = await db.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    return user


@app.get("/api/v1/users", response_model=list[UserResponse])
async def list_users(
    db: Db, skip: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 100
) -> list[User]:
    """Some users in the order of their ids."""
    found = await db.scalars(select(User).order_by(User.id).offset(skip).limit(limit))
    return list(found)


@app.patch("/api/v1/users/{user_id}", response_model=UserResponse)
async def update_user(user_id: int, change: UserUpdate, db: Db) -> User:
    """Change the fields that were sent."""
    user = await db.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    for name, value in change.model_dump(exclude_unset=True).items():
        setattr(user, name, value)
    user.version += 1
    await db.commit()
    await db.refresh(user)
    return user
